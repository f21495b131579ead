//! Judges one request: the order of the work, without bodies and services.

use std::sync::Arc;

use http::Request;

use tenantry_core::{
    AccessToken, Agreed, Anonymous, BoxFuture, Reason, Rejection, RequestFacts, TenantAwareRequest,
    Unobserved, VerifiedToken, agree,
};

use crate::credentials::Bearer;
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
        match self.try_judge(&self.live.now(), request) {
            Ok(Verdict::Admitted(context)) => Verdict::Admitted(self.live.watch(context)),
            Ok(Verdict::Waiting(verdict)) => {
                let live = self.live.clone();
                let watched = async move { verdict.await.map(|context| live.watch(context)) };
                Verdict::Waiting(Box::pin(watched))
            }
            Ok(verdict) => verdict,
            Err(rejection) => Verdict::Refused(rejection),
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
        let bearer = Bearer::read(target, headers).map_err(|reason| rules.refuse(reason))?;
        if bearer.is_some_and(|bearer| bearer.text().len() > rules.policy.max_token_bytes()) {
            return Err(rules.refuse(Reason::TokenTooLarge));
        }
        let facts = RequestFacts::read(&rules.policy, target, headers)?;
        let Some(bearer) = bearer else {
            let anonymous = Anonymous::new(&rules.policy);
            return match self.optional {
                true => Ok(Verdict::Anonymous(anonymous)),
                false => Err(anonymous.unauthenticated()),
            };
        };
        if let Some(verified) = rules.verifier.cached(bearer.text()) {
            return rules.settle(&facts, verified);
        }
        let token = bearer.token().map_err(|reason| rules.refuse(reason))?;
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
        let verified = match self.verifier.cached(token.as_str()) {
            Some(verified) => Ok(verified),
            None => Arc::clone(&self.verifier).fresh(token).await,
        };
        let verified = verified.map_err(|rejection| rejection.under(&self.policy))?;
        match self.settle(&facts, verified)? {
            Verdict::Admitted(context) => Ok(context),
            Verdict::Waiting(verdict) => verdict.await,
            Verdict::Refused(rejection) => Err(rejection),
            Verdict::Anonymous(anonymous) => Err(anonymous.unauthenticated()),
        }
    }

    async fn ask(self: Arc<Self>, agreed: Agreed) -> Result<TenantAwareRequest, Rejection> {
        match Arc::clone(&self.directory).fresh(agreed.tenant().clone()).await {
            Ok(standing) => agreed.admit(standing, &mut Unobserved),
            Err(rejection) => Err(agreed.refuse(rejection)),
        }
    }

    fn refuse(&self, reason: Reason) -> Rejection {
        Rejection::new(reason).under(&self.policy)
    }
}
