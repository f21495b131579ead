//! Judges one request: the order of the work, without bodies and services.

use std::sync::Arc;

use http::{HeaderMap, Request, Uri};

use tenantry_core::{
    AccessToken, Agreed, Anonymous, BoxFuture, Directory, Policy, Reason, Rejection, RequestFacts,
    TenantAwareRequest, Unobserved, VerifiedToken, Verifier, agree,
};

use crate::credentials::Bearer;
use crate::figures::{self, Figures};
use crate::target::Target;
use crate::tenant_labels::TenantLabels;

/// What a request is judged by.
#[derive(Clone, Debug)]
pub(crate) struct Extractor {
    policy: Policy,
    verifier: Arc<dyn Verifier>,
    directory: Arc<dyn Directory>,
    /// Of this very policy.
    figures: Arc<Figures>,
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
    pub(crate) fn new(
        policy: Policy,
        verifier: Arc<dyn Verifier>,
        directory: Arc<dyn Directory>,
    ) -> Self {
        let figures = Arc::new(Figures::new(&policy, None));
        let target = Target::REQUEST_TARGET;
        Self { policy, verifier, directory, figures, optional: false, target }
    }

    /// Gives tenants labels of their own.
    pub(crate) fn label_tenants(&mut self, labels: TenantLabels) {
        self.figures = Arc::new(Figures::new(&self.policy, Some(labels)));
    }

    /// Goes as far as memory reaches.
    pub(crate) fn judge<B>(self: &Arc<Self>, request: &Request<B>) -> Verdict {
        let verdict = self.try_judge(request).unwrap_or_else(Verdict::Refused);
        match &verdict {
            Verdict::Admitted(context) => self.figures.admitted(&self.policy, context),
            Verdict::Anonymous(_) => self.figures.anonymous(),
            Verdict::Refused(rejection) => self.figures.refused(rejection),
            // It is counted when it is known.
            Verdict::Waiting(_) => {}
        }
        match verdict {
            Verdict::Waiting(verdict) => {
                Verdict::Waiting(Box::pin(Arc::clone(self).counted(verdict)))
            }
            known => known,
        }
    }

    /// Waits for a verdict that [`judge`](Self::judge) could not give. Who goes before it is there is
    /// not counted.
    async fn counted(
        self: Arc<Self>,
        verdict: BoxFuture<Result<TenantAwareRequest, Rejection>>,
    ) -> Result<TenantAwareRequest, Rejection> {
        let verdict = verdict.await;
        match &verdict {
            Ok(context) => self.figures.admitted(&self.policy, context),
            Err(rejection) => self.figures.refused(rejection),
        }
        verdict
    }

    fn try_judge<B>(self: &Arc<Self>, request: &Request<B>) -> Result<Verdict, Rejection> {
        let headers = request.headers();
        let target = self
            .target
            .whole(request.extensions(), request.uri())
            .map_err(|problem| Rejection::misconfigured(problem).under(&self.policy))?;
        let bearer =
            Bearer::read(target, headers).map_err(|reason| self.refuse(reason, target, headers))?;
        if bearer.is_some_and(|bearer| bearer.text().len() > self.policy.max_token_bytes()) {
            return Err(self.refuse(Reason::TokenTooLarge, target, headers));
        }
        let facts = RequestFacts::read(&self.policy, target, headers)?;
        let Some(bearer) = bearer else {
            let anonymous = Anonymous::for_request(&self.policy, &facts);
            return match self.optional {
                true => Ok(Verdict::Anonymous(anonymous)),
                false => Err(anonymous.unauthenticated()),
            };
        };
        if let Some(verified) = self.verifier.cached(bearer.text()) {
            return self.settle(&facts, verified);
        }
        let token = bearer.token().map_err(|reason| self.refuse(reason, target, headers))?;
        let (token, facts) = (AccessToken::new(token), facts.into_owned());
        Ok(Verdict::Waiting(Box::pin(Arc::clone(self).verify(token, facts))))
    }

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

    async fn verify(
        self: Arc<Self>,
        token: AccessToken,
        facts: RequestFacts<'static>,
    ) -> Result<TenantAwareRequest, Rejection> {
        let verified = Arc::clone(&self.verifier).fresh(token).await;
        let verified =
            verified.map_err(|rejection| rejection.under_request(&self.policy, &facts))?;
        let context = match self.settle(&facts, verified)? {
            Verdict::Admitted(context) => context,
            Verdict::Waiting(verdict) => verdict.await?,
            Verdict::Refused(rejection) => return Err(rejection),
            Verdict::Anonymous(anonymous) => return Err(anonymous.unauthenticated()),
        };
        figures::foreign_scopes(&self.policy, &context);
        Ok(context)
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
