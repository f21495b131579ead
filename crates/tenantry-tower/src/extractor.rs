//! Judges one request: the order of the work, without bodies and services.

use std::sync::Arc;

use http::{HeaderMap, Request, Uri};

use tenantry_core::{
    AccessToken, Agreed, Anonymous, BoxFuture, Reason, Rejection, RequestFacts, TenantAwareRequest,
    Unobserved, VerifiedToken, agree,
};

use crate::credentials::Bearer;
use crate::figures;
use crate::live::{InForce, LivePolicy};
use crate::target::Target;

/// How requests are judged.
#[derive(Clone, Debug)]
pub(crate) struct Extractor {
    live: LivePolicy,
    pub(crate) optional: bool,
    pub(crate) target: Target,
}

/// What is known about a request without waiting.
pub(crate) enum Verdict {
    Admitted(TenantAwareRequest),
    Anonymous(Anonymous),
    Refused(Rejection),
    /// A token to verify, or a directory to ask.
    Waiting(BoxFuture<Result<TenantAwareRequest, Rejection>>),
}

impl Extractor {
    pub(crate) const fn new(live: LivePolicy) -> Self {
        Self { live, optional: false, target: Target::REQUEST_TARGET }
    }

    /// Goes as far as memory reaches.
    pub(crate) fn judge<B>(&self, request: &Request<B>) -> Verdict {
        // One policy from here to the verdict, whatever comes into force meanwhile.
        let rules = self.live.now();
        let verdict = self.try_judge(&rules, request).unwrap_or_else(Verdict::Refused);
        match &verdict {
            Verdict::Admitted(context) => rules.figures.admitted(&rules.policy, context),
            Verdict::Anonymous(_) => rules.figures.anonymous(),
            Verdict::Refused(rejection) => rules.figures.refused(rejection),
            // It is counted when it is known.
            Verdict::Waiting(_) => {}
        }
        match verdict {
            Verdict::Admitted(context) => Verdict::Admitted(self.live.watch(context)),
            Verdict::Waiting(verdict) => {
                let (rules, live) = (Arc::clone(&rules), self.live.clone());
                let known = async move { rules.counted(verdict).await.map(|c| live.watch(c)) };
                Verdict::Waiting(Box::pin(known))
            }
            known => known,
        }
    }

    fn try_judge<B>(
        &self,
        rules: &Arc<InForce>,
        request: &Request<B>,
    ) -> Result<Verdict, Rejection> {
        let headers = request.headers();
        let target = self
            .target
            .whole(request.extensions(), request.uri())
            .map_err(|problem| Rejection::misconfigured(problem).under(&rules.policy))?;
        let bearer = Bearer::read(target, headers)
            .map_err(|reason| rules.refuse(reason, target, headers))?;
        if bearer.is_some_and(|bearer| bearer.text().len() > rules.policy.max_token_bytes()) {
            return Err(rules.refuse(Reason::TokenTooLarge, target, headers));
        }
        let facts = RequestFacts::read(&rules.policy, target, headers)?;
        let Some(bearer) = bearer else {
            let anonymous = Anonymous::for_request(&rules.policy, &facts);
            return match self.optional {
                true => Ok(Verdict::Anonymous(anonymous)),
                false => Err(anonymous.unauthenticated()),
            };
        };
        if let Some(verified) = rules.verifier.cached(bearer.text()) {
            return rules.settle(&facts, verified);
        }
        let token = bearer.token().map_err(|reason| rules.refuse(reason, target, headers))?;
        let (token, facts) = (AccessToken::new(token), facts.into_owned());
        Ok(Verdict::Waiting(Box::pin(Arc::clone(rules).verify(token, facts))))
    }
}

impl InForce {
    /// Decides, unless the directory has to be asked.
    fn settle(
        self: &Arc<Self>,
        facts: &RequestFacts<'_>,
        verified: VerifiedToken,
    ) -> Result<Verdict, Rejection> {
        let agreed = agree(&self.policy, facts, verified, &mut Unobserved)?;
        match self.directory.cached(agreed.tenant()) {
            Some(standing) => agreed.admit(standing, &mut Unobserved).map(Verdict::Admitted),
            None => Ok(Verdict::Waiting(Box::pin(Arc::clone(self).ask(agreed)))),
        }
    }

    /// Verifies the token and decides, however long that takes.
    pub(crate) async fn verify(
        self: Arc<Self>,
        token: AccessToken,
        facts: RequestFacts<'static>,
    ) -> Result<TenantAwareRequest, Rejection> {
        let cached = self.verifier.cached(token.as_str());
        let seen_before = cached.is_some();
        let verified = match cached {
            Some(verified) => Ok(verified),
            None => Arc::clone(&self.verifier).fresh(token).await,
        };
        let verified =
            verified.map_err(|rejection| rejection.under_request(&self.policy, &facts))?;
        let context = match self.settle(&facts, verified)? {
            Verdict::Admitted(context) => context,
            Verdict::Waiting(verdict) => verdict.await?,
            Verdict::Refused(rejection) => return Err(rejection),
            Verdict::Anonymous(anonymous) => return Err(anonymous.unauthenticated()),
        };
        if !seen_before {
            figures::foreign_scopes(&self.policy, &context);
        }
        Ok(context)
    }

    /// Waits for a verdict that could not be given at once. Who goes before it is there is not
    /// counted.
    async fn counted(
        &self,
        verdict: BoxFuture<Result<TenantAwareRequest, Rejection>>,
    ) -> Result<TenantAwareRequest, Rejection> {
        let verdict = verdict.await;
        match &verdict {
            Ok(context) => self.figures.admitted(&self.policy, context),
            Err(rejection) => self.figures.refused(rejection),
        }
        verdict
    }

    async fn ask(self: Arc<Self>, agreed: Agreed) -> Result<TenantAwareRequest, Rejection> {
        match Arc::clone(&self.directory).fresh(agreed.tenant().clone()).await {
            Ok(standing) => agreed.admit(standing, &mut Unobserved),
            Err(rejection) => Err(agreed.refuse(rejection)),
        }
    }

    /// Refuses for what was found before the request was read. What it asks for is in the challenge
    /// all the same, if that can be read.
    fn refuse(&self, reason: Reason, target: &Uri, headers: &HeaderMap) -> Rejection {
        let rejection = Rejection::new(reason);
        match RequestFacts::read(&self.policy, target, headers) {
            Ok(facts) => rejection.under_request(&self.policy, &facts),
            Err(_) => rejection.under(&self.policy),
        }
    }
}
