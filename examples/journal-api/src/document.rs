//! `/openapi.json`: every operation, with its parameters, its answers, and the scopes it needs.
//! `/docs`: a page to read it and to try it.
//!
//! A handler describes itself and its good answers. What is the same for many is added here: the
//! tenant in the path, and the problem documents. The scopes are those of the handlers' signatures.
//!
//! Both are for everybody. A tenant with the id `docs` could not be reached.

use axum::Router;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Header, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder, Type,
};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use tenantry::Policy;
use tenantry::openapi::Protection;

use crate::problem::Problem;

/// The security scheme for who has a token already.
const PASTED: &str = "pasted_token";

/// The token endpoint that a document names if its service does not know the one of its issuer.
pub const TOKEN_URL: &str = "https://auth.erp.example/token";

const ABOUT: &str = "\
Journal entries for several tenants. The tenant comes from the access token; the path has to name \
the same one. Scopes are written here without the tenant: a token may have to say \
`tenant1.journal.read` for `journal.read`.\n\n\
Every answer has an `x-request-id`, which the caller may choose. What this service refuses it \
refuses with a problem document of RFC 9457; branch on its `code`.";

/// Returns the routes `/openapi.json` and `/docs`.
pub fn router(document: OpenApi) -> Router {
    // The page would ask a service on the internet what it thinks of the document.
    let config = Config::default().validator_url("none");
    SwaggerUi::new("/docs").url("/openapi.json", document).config(config).into()
}

/// A document without operations.
pub(crate) fn empty() -> OpenApi {
    let info = InfoBuilder::new()
        .title("journal-api")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let mut components = Components::new();
    components.schemas.insert("Problem".into(), Problem::schema());
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Completes the description of the operations of one route, which may end with these `problems`,
/// besides those that any operation may end with.
pub(crate) fn operation<T>(
    (schemas, mut paths, routes): UtoipaMethodRouter<T>,
    problems: &[u16],
) -> UtoipaMethodRouter<T> {
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.parameters.get_or_insert_default().insert(0, tenant().into());
        for status in [400, 401, 403, 429, 500, 503].iter().chain(problems) {
            let answers = &mut operation.responses.responses;
            answers.insert(status.to_string(), RefOr::T(problem(*status)));
        }
    }
    (schemas, paths, routes)
}

/// States what each operation needs of a token.
pub(crate) fn secure(document: &mut OpenApi, policy: &Policy, token_url: &str) {
    Protection::new(policy, token_url)
        .describe("finance.write", "change the books of the tenant")
        .describe("journal.create", "book entries of the tenant")
        .describe("journal.read", "see the entries of the tenant")
        .document(document);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if let Some(security) = &mut operation.security {
            security.push(SecurityRequirement::new(PASTED, [""; 0]));
        }
    }
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token from wherever you have it."));
    let components = document.components.get_or_insert_default();
    components
        .security_schemes
        .insert(PASTED.into(), RefOr::T(SecurityScheme::Http(token.build())));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}

fn tenant() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"));
    ParameterBuilder::new()
        .name("tenant")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The tenant that the access token speaks for."))
        .schema(Some(schema))
        .example(Some("tenant1".into()))
        .build()
}

fn problem(status: u16) -> Response {
    let says = match status {
        400 => "The request cannot be read.",
        401 => "There is no access token, or it is not accepted.",
        403 => "The access token is of another tenant, or lacks a scope.",
        404 => "The tenant has no such entry.",
        408 => "The body did not arrive in time.",
        409 => "What is in the journal, or a request under way, stands against it.",
        413 => "The body is larger than 1 MiB.",
        415 => "The body does not say that it is JSON.",
        422 => "The request can be read, but not carried out.",
        429 => "The tenant has too many requests under way.",
        500 => "Something went wrong on our side.",
        _ => "The request cannot be judged or carried out now.",
    };
    let content = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("Problem"))));
    let response =
        ResponseBuilder::new().description(says).content("application/problem+json", content);
    match status {
        401 => response.header("WWW-Authenticate", text("What a client should do, RFC 6750.")),
        429 | 503 => response.header("Retry-After", text("How many seconds to wait.")),
        _ => response,
    }
    .build()
}

fn text(about: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some(about.to_owned());
    header
}
