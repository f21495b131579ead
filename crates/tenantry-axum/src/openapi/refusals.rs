//! The answers to a refused request.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Components, ContentBuilder, Ref, Response, ResponseBuilder, Responses};

use tenantry_core::Reason;

/// The statuses of refusals that callers can do something about, and what they say.
const STATUSES: [(u16, &str); 4] = [
    (400, "The request is malformed, or can be read in more than one way."),
    (401, "There is no access token, or it is not accepted."),
    (403, "The access token is good, but not for this tenant or this operation."),
    (503, "The request could not be judged now."),
];

/// The schema of the body.
const PROBLEM: &str = "Refusal";

/// Refers to the answers, where the operation does not describe its own.
pub(super) fn refer(responses: &mut Responses) {
    for (status, _) in STATUSES {
        let answer = || Ref::from_response_name(component(status)).into();
        responses.responses.entry(status.to_string()).or_insert_with(answer);
    }
}

/// Defines the answers; they have a body where the policy's refusals have one.
pub(super) fn define(components: &mut Components, described: bool) {
    for (status, says) in STATUSES {
        let answer = answer(status, says, described);
        components.responses.insert(component(status), answer.into());
    }
    if described {
        components.schemas.insert(PROBLEM.into(), problem().into());
    }
}

fn component(status: u16) -> String {
    format!("Refused{status}")
}

fn answer(status: u16, says: &str, described: bool) -> Response {
    let (field, holds) = match status {
        503 => ("Retry-After", "When to come back, in seconds."),
        _ => ("WWW-Authenticate", "The challenge (RFC 6750, section 3)."),
    };
    let field_holds = HeaderBuilder::new().description(Some(holds)).build();
    let answer = ResponseBuilder::new().header(field, field_holds);
    if !described {
        return answer.description(says).build();
    }
    let of_status = Reason::ALL.iter().filter(|reason| reason.status().as_u16() == status);
    let codes: Vec<_> = of_status.map(|reason| format!("`{}`", reason.code())).collect();
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
    answer
        .description(format!("{says} The codes: {}.", codes.join(", ")))
        .content("application/problem+json", body)
        .build()
}

/// The problem document (RFC 9457) of a refusal.
fn problem() -> ObjectBuilder {
    let text = |says: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(says));
    let uri = text("`urn:tenantry:rejection:` and the code.")
        .format(Some(SchemaFormat::Custom("uri".into())));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Why a request was refused, as a problem document (RFC 9457)."))
        .property("type", uri)
        .property("title", text("The reason, for a person."))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer))
        .property("code", text("The reason, for a program. Stable."))
        .property("detail", text("What to look at first."))
        .property("scope", text("The scopes that are needed, if they are what is missing."))
        .required("type")
        .required("title")
        .required("status")
        .required("code")
        .required("detail")
}
