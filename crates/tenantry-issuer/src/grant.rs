//! What a client asks the token endpoint for.
//!
//! The password grant and the implicit grant are not here, whatever a client is registered for
//! ([RFC 9700 §2.4], [RFC 9700 §2.1.2]).
//!
//! [RFC 9700 §2.1.2]: https://www.rfc-editor.org/rfc/rfc9700#section-2.1.2
//! [RFC 9700 §2.4]: https://www.rfc-editor.org/rfc/rfc9700#section-2.4

use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::reason::Reason;
use crate::records::Grants;

/// A grant that the client is registered for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grant {
    /// [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)
    ClientCredentials,
    /// [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
    RefreshToken,
}

impl Grant {
    pub(crate) fn read(form: &Form, registered: Grants) -> Result<Self, OAuthError> {
        let (grant, registered) = match form.get("grant_type") {
            None => {
                return Err(OAuthError::invalid_request(
                    Reason::GrantTypeMissing,
                    "grant_type is missing: client_credentials or refresh_token",
                ));
            }
            Some("client_credentials") => (Self::ClientCredentials, registered.client_credentials),
            Some("refresh_token") => (Self::RefreshToken, registered.refresh_token),
            Some(_) => return Err(OAuthError::unsupported_grant_type()),
        };
        if !registered {
            return Err(OAuthError::unauthorized_client(
                Reason::GrantUnregistered,
                "the client is not registered for this grant type",
            ));
        }
        Ok(grant)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }
}
