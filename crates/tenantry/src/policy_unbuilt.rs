//! The parts of a policy file that nothing acts on yet. They are checked, and then refused: a rule
//! that is not enforced would be worse than none.

use tenantry_core::{PolicyError, ScopeNeed};

use crate::policy_format::{File, Route};

impl File {
    /// Refuses the gateway's tables: for what is wrong in them, or else because they are there.
    pub(crate) fn refuse_unbuilt(&self) -> Result<(), PolicyError> {
        for (at, route) in self.route.iter().enumerate() {
            route.check(at)?;
        }
        let setting = match (&self.gate, self.route.0.first()) {
            (Some(_), _) => "gate",
            (None, Some(_)) => "route",
            (None, None) => return Ok(()),
        };
        Err(PolicyError::new(
            setting,
            "the gateway and its rules are not built yet: take [gate] and every [[route]] out",
        ))
    }
}

impl Route {
    /// Checks one of the gate's rules, though nothing here acts on it.
    fn check(&self, at: usize) -> Result<(), PolicyError> {
        let refuse = |setting: &str, problem: String| {
            Err(PolicyError::new(format!("route[{at}].{setting}"), problem))
        };
        if !self.path.starts_with('/') {
            return refuse("path", "a path starts with `/`".into());
        }
        for method in &self.methods.0 {
            if http::Method::from_bytes(method.as_bytes()).is_err() {
                return refuse("methods", format!("`{method}` is not a method's name"));
            }
        }
        let rules = [self.scopes.is_some(), self.any_scopes.is_some(), self.public];
        if rules.into_iter().filter(|rule| *rule).count() != 1 {
            return Err(PolicyError::new(
                format!("route[{at}]"),
                "a route has exactly one of scopes, any_scopes and public = true",
            ));
        }
        for (setting, scopes) in [("scopes", &self.scopes), ("any_scopes", &self.any_scopes)] {
            let Some(scopes) = scopes else { continue };
            if scopes.0.is_empty() {
                return refuse(setting, "list at least one scope".into());
            }
            for scope in &scopes.0 {
                if let Err(error) = ScopeNeed::from_lists([[scope]]) {
                    return refuse(setting, format!("`{scope}` is {error}"));
                }
            }
        }
        Ok(())
    }
}
