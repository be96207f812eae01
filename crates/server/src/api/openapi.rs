//! The document of the API (OpenAPI 3.1), made from the code, and a page that shows it.
//!
//! What each route takes and answers stands at its handler. What all have in common is added here: the verbs, who may
//! ask ([`super::access`]), and the problems that each may answer with.

use axum::http::{HeaderValue, Method, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use usphere_datamodel::operation::{
    Add, AddOutcome, Delete, DeleteOutcome, Get, GetOutcome, Instances, InstancesOutcome, Operate,
    OperateOutcome, OperationKind, Set, SetOutcome, SupportedModel, SupportedModelOutcome,
    SupportedProtocol, SupportedProtocolOutcome,
};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, Ref, RefOr, Required,
    Response as Answer, ResponseBuilder, Schema, tag,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::access;
use super::operations::{Manner, Shown};
use super::parameters::OfDevice;
use super::problem::Problem;

/// Where the document is.
const DOCUMENT: &str = "/api/v1/openapi.json";

/// Where the page that shows it is.
const PAGE: &str = "/api/v1/docs";

/// What the page may load: what the server gives, and the styles and pictures that it makes itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The name of the only way to be let in.
const TOKEN: &str = "token";

/// The document and its page. `collected` is what the handlers say of themselves.
pub(super) fn router<S: Clone + Send + Sync + 'static>(collected: OpenApi) -> Router<S> {
    let document = finished(collected);
    let page = Router::<S>::from(SwaggerUi::new(PAGE).config(Config::new([DOCUMENT])));
    Router::new()
        .route(DOCUMENT, get(move || async move { Json(document) }))
        .merge(page.layer(middleware::map_response(guarded)))
}

/// The page shows what others wrote, and asks with a token that somebody typed in.
async fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn finished(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("usphere")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Devices that speak USP (TR-369): who they are, what they say, and what they are asked.",
        ))
        .build();
    document.tags = Some(
        TAGS.iter()
            .map(|(name, what)| {
                tag::TagBuilder::new()
                    .name(*name)
                    .description(Some(*what))
                    .build()
            })
            .collect(),
    );
    let components = document.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("A token of the server; `usphere tokens` makes them"));
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer.build()));
    add_schema::<Problem>(components);
    for kind in OperationKind::ALL {
        let operation = verb(kind, components);
        let path = access::VERB.replace("{verb}", kind.as_str());
        let item = PathItem::new(HttpMethod::Post, operation);
        document.paths.paths.insert(path, item);
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(&method, path, operation);
        }
    }
    document
}

/// The content type of server-sent events.
const STREAM: &str = "text/event-stream";

/// What may come of asking a device.
const OF_DEVICES: [(&str, &str); 4] = [
    (
        "422",
        "The device refused, or what is asked contradicts itself or what was asked with the same key",
    ),
    ("501", "It cannot be said in the device's protocol"),
    (
        "502",
        "The device disconnected, or answered nonsense; whether it did it is not known",
    ),
    (
        "504",
        "The device did not answer in time; whether it did it is not known",
    ),
];

const TAGS: [(&str, &str); 10] = [
    (
        "agents",
        "The Broadband Forum's USP Controller API, for software that was written for it",
    ),
    ("audit", "Who changed what"),
    ("contacts", "Who tried to connect and did not get in"),
    ("devices", "The inventory"),
    ("events", "What devices say, and when they come and go"),
    ("operations", "What devices are asked, and what comes of it"),
    ("server", "The server itself"),
    ("subscriptions", "What every device is to tell"),
    ("tokens", "Who may use the API"),
    ("verbs", "Asking a device for something"),
];

/// Adds what all routes have in common.
fn complete(method: &Method, path: &str, operation: &mut Operation) {
    let is_open = matches!(path, "/api/v1/health" | "/healthz" | "/readyz");
    for parameter in operation.parameters.iter_mut().flatten() {
        describe(parameter);
    }
    let parameters = operation.parameters.as_ref();
    let has = |place: ParameterIn| {
        parameters.is_some_and(|all| {
            all.iter()
                .any(|each| matches!(each, RefOr::T(each) if each.parameter_in == place))
        })
    };
    let (has_parameters, has_names) = (
        parameters.is_some_and(|all| !all.is_empty()),
        has(ParameterIn::Path) || path.starts_with("/api/v1/events"),
    );
    let tag = operation.tags.as_ref().and_then(|tags| tags.first());
    if let (Some(tag), Some(id)) = (tag, &operation.operation_id)
        && !matches!(tag.as_str(), "server" | "verbs")
    {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
    let has_body = operation.request_body.is_some();
    let mut may = |is_so: bool, problems: &[(&str, &str)]| {
        for (status, what) in problems.iter().filter(|_| is_so) {
            let responses = &mut operation.responses.responses;
            responses
                .entry((*status).to_owned())
                .or_insert_with(|| RefOr::T(problem(what)));
        }
    };
    may(
        has_parameters || has_body,
        &[("400", "The request cannot be understood")],
    );
    may(
        has_names,
        &[
            ("404", "There is no such thing"),
            (
                "409",
                "Several devices have this name, or what is wanted is taken",
            ),
        ],
    );
    may(
        has_body,
        &[
            ("408", "The body did not arrive in time"),
            ("413", "The body is too large"),
        ],
    );
    may(asks_a_device(method, path), &OF_DEVICES);
    may(
        *method != Method::GET,
        &[("507", "The disk is full; nothing was changed")],
    );
    may(
        !is_open,
        &[
            ("401", "There is no token, or it is not good any more"),
            ("403", "The token does not allow that"),
            ("500", "The server failed"),
            (
                "503",
                "The server has too much to do, or the device is not there",
            ),
        ],
    );
    may(
        true,
        &[(
            "429",
            "More requests than the server takes; `Retry-After` says when to come again",
        )],
    );
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer
            && let Some(RefOr::T(stream)) = answer.content.get_mut(STREAM)
        {
            stream.schema = Some(streamed());
        }
    }
    if is_open {
        return;
    }
    let scope = access::need(method, path).scope.name();
    operation.security = Some(vec![SecurityRequirement::new(TOKEN, [scope])]);
    let told = operation.description.take().unwrap_or_default();
    let gap = if told.is_empty() { "" } else { "\n\n" };
    operation.description = Some(format!("{told}{gap}Needs the scope `{scope}`."));
}

/// What parameters of one kind have in common stands at their schema, and is shown at each.
fn describe(parameter: &mut RefOr<Parameter>) {
    if let RefOr::T(parameter) = parameter
        && parameter.description.is_none()
        && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
    {
        parameter.description = schema.description.take();
    }
}

/// Whether a device is asked, whose answer decides.
fn asks_a_device(method: &Method, path: &str) -> bool {
    let is_verb = OperationKind::ALL
        .iter()
        .any(|kind| access::VERB.replace("{verb}", kind.as_str()) == path);
    let is_element = path.contains("/serviceElements");
    is_verb || is_element || (path.ends_with("/commands") && *method == Method::POST)
}

/// One of server-sent events. Of a stream the schema is that of each event, since OpenAPI 3.1 has no other word for it.
fn streamed() -> RefOr<Schema> {
    let event = ObjectBuilder::new()
        .description(Some("Each of the events that are sent"))
        .property("data", described("What happened, in JSON"))
        .required("data")
        .property("event", described("`message` where it is not said"))
        .property("id", described("What to go on after"));
    RefOr::T(Schema::Object(event.build()))
}

fn described(what: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(what))
}

/// A verb.
fn verb(kind: OperationKind, components: &mut Components) -> Operation {
    let (summary, body, outcome) = match kind {
        OperationKind::Add => (
            "Add rows to tables",
            add_schema::<Add>(components),
            add_schema::<AddOutcome>(components),
        ),
        OperationKind::Delete => (
            "Delete rows of tables",
            add_schema::<Delete>(components),
            add_schema::<DeleteOutcome>(components),
        ),
        OperationKind::Get => (
            "Read values",
            add_schema::<Get>(components),
            add_schema::<GetOutcome>(components),
        ),
        OperationKind::Instances => (
            "List the instances of tables",
            add_schema::<Instances>(components),
            add_schema::<InstancesOutcome>(components),
        ),
        OperationKind::Operate => (
            "Run a command",
            add_schema::<Operate>(components),
            add_schema::<OperateOutcome>(components),
        ),
        OperationKind::Set => (
            "Write values",
            add_schema::<Set>(components),
            add_schema::<SetOutcome>(components),
        ),
        OperationKind::SupportedModel => (
            "Tell what there can be",
            add_schema::<SupportedModel>(components),
            add_schema::<SupportedModelOutcome>(components),
        ),
        OperationKind::SupportedProtocol => (
            "Tell which versions of its protocol the device speaks",
            add_schema::<SupportedProtocol>(components),
            add_schema::<SupportedProtocolOutcome>(components),
        ),
    };
    let kept = add_schema::<Shown>(components);
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(body)).build(),
        )
        .required(Some(Required::True));
    let ended = OneOfBuilder::new().item(outcome).item(kept.clone());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(kind.as_str()))
        .tag("verbs")
        .summary(Some(summary))
        .request_body(Some(body.build()));
    let parameters = [
        OfDevice::into_params(|| Some(ParameterIn::Path)),
        Manner::into_params(|| Some(ParameterIn::Query)),
    ];
    for parameter in parameters.into_iter().flatten() {
        operation = operation.parameter(parameter);
    }
    for (name, what) in [
        (
            "idempotency-key",
            "The same request with the same key is the same Operation, however often it comes",
        ),
        ("prefer", "`respond-async` has the answer come at once"),
    ] {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(what))
                .schema(Some(match name {
                    "prefer" => text(),
                    _ => RefOr::T(Schema::Object(
                        ObjectBuilder::new()
                            .schema_type(Type::String)
                            .min_length(Some(1))
                            .max_length(Some(255))
                            .pattern(Some("^[!-~]+$"))
                            .build(),
                    )),
                })),
        );
    }
    let named = |response: ResponseBuilder| {
        response.header(
            "Operation-Id",
            HeaderBuilder::new()
                .schema(Some(text()))
                .description(Some("The Operation"))
                .build(),
        )
    };
    let ok = ResponseBuilder::new()
        .description("What came of it; with `wait=false` and a key that was used before, the Operation, which has ended")
        .content("application/json", ContentBuilder::new().schema(Some(Schema::OneOf(ended.build()))).build());
    let accepted = ResponseBuilder::new()
        .description("The Operation, which goes on")
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(kept)).build(),
        );
    let operation = operation.response("200", named(ok));
    operation.response("202", named(accepted)).build()
}

/// The schema of a type, put in place with those that it needs.
fn add_schema<T: ToSchema>(components: &mut Components) -> RefOr<Schema> {
    let mut needed = Vec::new();
    T::schemas(&mut needed);
    components
        .schemas
        .insert(T::name().into_owned(), T::schema());
    components.schemas.extend(needed);
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

fn text() -> RefOr<Schema> {
    <String as PartialSchema>::schema()
}

fn problem(what: &str) -> Answer {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(what)
        .content("application/problem+json", content)
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::DELETE, item.delete.as_mut()),
        (Method::GET, item.get.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::PUT, item.put.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}
