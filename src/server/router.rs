//! Router: from a request to its response, the one warp filter of the service.
//!
//! Finds the route, checks limits and authorization, calls the endpoint, and counts and logs the
//! outcome. Knows no endpoint from inside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use futures::{Stream, StreamExt};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::filters::path::FullPath;
use warp::host::Authority;
use warp::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, HeaderName, LOCATION};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::hyper::body::Body as _;
use warp::reply::Response as Reply;

use super::audit::Listener;
use super::budget::Share;
use super::host::RequestedHost;
use super::keys::Role;
use super::listener::ProbesOnly;
use super::origin::Initiator;
use super::problem::{Answer, Refusal};
use super::request::{Query, Request};
use super::request_limits::REQUEST_BYTES;
use super::request_log::Entry;
use super::routes::{self, Endpoint, Found, Route};
use super::service::{IsCounted, Service};
use super::{
    authorization, connection_permits, cors, docs, explain, health, legacy_api, openapi, reports,
    request_limits, sql, store_list, stores, trace, versions,
};
use crate::client::Client;

/// Copies of a request's head: hyper, warp and the endpoint hold one each.
const HEAD_COPIES: usize = 3;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Answers every request; never rejects.
pub fn router(service: Service) -> BoxedFilter<(Reply,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    // Rejects a malformed host, and two that differ.
    let authority = warp::host::optional().or(warp::any().map(|| None::<Authority>)).unify();
    let head = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(authority)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<SocketAddr>())
        .and(warp::ext::optional::<ProbesOnly>())
        .map(
            |method: Method,
             path: FullPath,
             query: String,
             authority: Option<Authority>,
             headers: HeaderMap,
             client: Option<SocketAddr>,
             probes_only: Option<ProbesOnly>| {
                let path = path.as_str().to_owned();
                let asked = RequestedHost::read(authority.as_ref(), &headers);
                Head { method, path, query, asked, headers, client, probes_only }
            },
        );
    head.and(warp::body::stream())
        .then(move |head: Head, body| {
            let service = service.clone();
            async move { answer(&service, &head, body).await }
        })
        .boxed()
}

/// Request without its body.
struct Head {
    method: Method,
    path: String,
    query: String,
    /// `None` if the request does not name exactly one host.
    asked: Option<RequestedHost>,
    headers: HeaderMap,
    /// `None` without a connection, as in tests.
    client: Option<SocketAddr>,
    /// Set if the connection may only probe.
    probes_only: Option<ProbesOnly>,
}

impl Head {
    /// Memory while the request is answered, roughly.
    fn bytes(&self) -> usize {
        let fields = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let bytes = self.path.len() + self.query.len() + fields.sum::<usize>();
        bytes * HEAD_COPIES + REQUEST_BYTES
    }
}

async fn answer<B: Buf>(
    service: &Service,
    head: &Head,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Reply {
    let (started, id) = (Instant::now(), trace::request_id(&head.headers));
    let origins = &service.settings.origins;
    let initiator = Initiator::read(&head.headers, head.asked.as_ref(), origins);
    let mut entry =
        Entry::begin(&service.settings, Listener::Http, head.client, head.method.as_str());
    entry.set_request_id(&id);
    entry.set_asked_path(&head.path, &head.query);
    let mut body = std::pin::pin!(body.fuse());
    let (route, answered) =
        route_request(service, head, &initiator, body.as_mut(), &mut entry).await;
    let mut reply = answered.unwrap_or_else(Refusal::into_reply);
    if request_limits::drains_rest(&head.headers, reply.status()) {
        let rest = request_limits::drain(body);
        let _ = tokio::time::timeout(service.settings.query_time, rest).await;
    }
    if head.method == Method::HEAD {
        reply = without_body(reply);
    }
    add_headers(&mut reply, &id);
    cors::share(reply.headers_mut(), &initiator, origins);
    let (route, status) = (route.map_or("none", |route| route.path), reply.status().as_u16());
    service.metrics.answered(method_name(&head.method), route, status, started.elapsed());
    entry.route = Some(route);
    entry.answered(status.to_string());
    reply
}

async fn route_request<B: Buf>(
    service: &Service,
    head: &Head,
    initiator: &Initiator,
    body: impl Stream<Item = Result<B, warp::Error>>,
    entry: &mut Entry,
) -> (Option<&'static Route>, Answer) {
    let Head { method, path, query, headers, .. } = head;
    let found = routes::find(method, path);
    let (target_bytes, settings) = (path.len() + query.len(), &service.settings);
    let admitted = request_limits::check_head(target_bytes, headers, settings.header_bytes_max)
        .and_then(|()| {
            authorization::admit(settings, head.asked.as_ref(), initiator, method, found.route())
        });
    if let Err(refusal) = admitted.and_then(|()| check_probe(head, found.route())) {
        return (found.route(), Err(refusal));
    }
    match found {
        Found::Route(route, open) => {
            let mut request = Request {
                method: method.clone(),
                path: open,
                query: Query::default(),
                headers: headers.clone(),
                body: bytes::Bytes::new(),
            };
            let caller = authorization::caller(&service.settings, &request, route.role);
            entry.set_key(caller.key);
            let client = connection_permits::client(caller.key, head.client);
            let answered = async {
                let role = caller.role?;
                entry.set_path(path, query);
                // Probes are answered however full the budget is.
                let is_probe = route.is_probe();
                let head_bytes = if is_probe { 0 } else { head.bytes() };
                let mut share = service.compute.budget.take(client, head_bytes)?;
                request.query = Query::parse(query)?;
                let request = read_request(service, route, request, body, &mut share).await?;
                if entry.is_audited()
                    && route.endpoint == Endpoint::Sql
                    && let Some(sql) = sql::text(&request)
                {
                    entry.set_sql(&sql);
                }
                let reply = dispatch(service, route.endpoint, &request, role).await?;
                if is_probe { Ok(reply) } else { reserve_memory(service, client, reply) }
            };
            (Some(route), client.scope(answered).await)
        }
        Found::OtherMethods(methods) => {
            let methods = names(&methods);
            let preflight = (*method == Method::OPTIONS)
                .then(|| cors::preflight(initiator, headers, &methods))
                .flatten();
            (None, preflight.ok_or_else(|| method_not_allowed(method, path, &methods)))
        }
        Found::WithoutSlash(shorter) => (None, Ok(redirect(&shorter, query))),
        Found::Nothing => {
            let detail = format!("there is nothing at {path:?}; /docs lists every path");
            (None, Err(Refusal::unknown(detail)))
        }
    }
}

/// # Errors
/// If the connection holds a reserved permit, and the request is not a probe.
fn check_probe(head: &Head, route: Option<&Route>) -> Answer<()> {
    match head.probes_only {
        Some(ProbesOnly(full)) if !route.is_some_and(Route::is_probe) => {
            Err(Refusal::unavailable(full.sentence()))
        }
        _ => Ok(()),
    }
}

/// Request with its body, if the route takes one.
///
/// # Errors
/// If the body is too large or too slow.
async fn read_request<B: Buf>(
    service: &Service,
    route: &Route,
    mut request: Request,
    body: impl Stream<Item = Result<B, warp::Error>>,
    share: &mut Share,
) -> Answer<Request> {
    if route.takes_body {
        let limit = service.settings.query_time;
        let bytes_max = service.settings.body_bytes_max;
        let read = request_limits::read_body(body, &request.headers, bytes_max, share);
        request.body = tokio::time::timeout(limit, read).await.map_err(|_| {
            let limit = humantime::format_duration(limit);
            let detail = format!("the body takes longer than {limit}, the limit of --query-time");
            Refusal::new(StatusCode::REQUEST_TIMEOUT, detail)
        })??;
    }
    Ok(request)
}

/// Reserves memory for the response until its last byte has left.
///
/// # Errors
/// If the budget has no room.
fn reserve_memory(service: &Service, client: Client, mut reply: Reply) -> Answer {
    let bytes = match reply.body().size_hint().exact() {
        _ if reply.extensions().get::<IsCounted>().is_some() => return Ok(reply),
        _ if reply.extensions().get::<Arc<Share>>().is_some() => return Ok(reply),
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        // Small pages.
        None => 0,
    };
    let share = service.compute.budget.take(client, bytes.saturating_add(REQUEST_BYTES))?;
    reply.extensions_mut().insert(Arc::new(share));
    Ok(reply)
}

async fn dispatch(service: &Service, endpoint: Endpoint, request: &Request, role: Role) -> Answer {
    match endpoint {
        Endpoint::TriggerDashed | Endpoint::TriggerUnderscored => {
            legacy_api::trigger(service).await
        }
        Endpoint::ReportDashed => legacy_api::dashed(service, request).await,
        Endpoint::ReportByName => legacy_api::by_name(service, request).await,
        Endpoint::ReportByPath => legacy_api::by_path(service, request).await,
        Endpoint::DownloadByPath => legacy_api::download_by_path(service, request).await,
        Endpoint::CreateReport => reports::create(service, request).await,
        Endpoint::ListReports => reports::list(service, request),
        Endpoint::ShowReport => reports::show(service, request).await,
        Endpoint::DownloadReport => reports::download(service, request).await,
        Endpoint::DeleteReport => reports::delete(service, request, role).await,
        Endpoint::ListStores => store_list::list(service, request).await,
        Endpoint::Uptime => stores::uptime(service, request).await,
        Endpoint::Timeline => stores::timeline(service, request).await,
        Endpoint::Incidents => stores::incidents(service, request).await,
        Endpoint::Hours => stores::hours(service, request).await,
        Endpoint::Explain => explain::explain(service, request).await,
        Endpoint::Sql => sql::answer(service, request).await,
        Endpoint::Versions => versions::list(service, request).await,
        Endpoint::Livez => Ok(health::livez()),
        Endpoint::Readyz => health::readyz(service).await,
        Endpoint::Metrics => Ok(health::metrics(service)),
        Endpoint::OpenApi => Ok(openapi::reply(service, request).await),
        Endpoint::Docs => Ok(docs::page()),
        Endpoint::DocsAsset => docs::asset(request),
    }
}

/// Permanent redirect to the path without trailing slashes; method and body stay.
fn redirect(path: &str, query: &str) -> Reply {
    let target = match query {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::PERMANENT_REDIRECT;
    reply.headers_mut().extend(HeaderValue::from_str(&target).ok().map(|to| (LOCATION, to)));
    reply
}

/// Response to `HEAD`: no body, but its length.
fn without_body(reply: Reply) -> Reply {
    let length = reply.body().size_hint().exact();
    let (mut head, _) = reply.into_parts();
    head.headers.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
    Reply::from_parts(head, bytes::Bytes::new().into())
}

fn add_headers(reply: &mut Reply, id: &str) {
    let headers = reply.headers_mut();
    headers.extend(HeaderValue::from_str(id).ok().map(|id| (REQUEST_ID, id)));
    headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Pages of other sites cannot embed a response; those that CORS allows can still fetch it.
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Methods as a list, with `HEAD` wherever `GET` is.
fn names(methods: &[&'static Method]) -> String {
    let mut names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.join(", ")
}

fn method_not_allowed(method: &Method, path: &str, methods: &str) -> Refusal {
    let detail = format!("{method} is not allowed for {path:?}; allowed: {methods}");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(ALLOW, methods)
}

/// Method as a metric label: a fixed set, so that clients cannot invent labels.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::connection_permits::Full;
    use super::*;

    #[tokio::test]
    async fn a_reserved_connection_serves_only_probes() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(folder.path().to_owned(), Settings::default()).unwrap();
        let filter = router(service.clone());
        for (path, full, expected, said) in [
            ("/livez", Full::All, 200, ""),
            ("/metrics", Full::All, 503, "all connections are taken"),
            ("/metrics", Full::Network, 503, "your network has its share"),
            ("/nowhere", Full::All, 503, "all connections are taken"),
        ] {
            let request = warp::test::request().path(path).header("host", "localhost");
            let reply = request.extension(ProbesOnly(full)).reply(&filter).await;
            assert_eq!(reply.status().as_u16(), expected, "{path}");
            let body = String::from_utf8_lossy(reply.body());
            assert!(body.contains(said), "{body}");
        }
        service.close();
    }

    #[tokio::test]
    async fn each_request_but_probes_takes_memory_of_its_client() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(folder.path().to_owned(), Settings::default()).unwrap();
        let budget = &service.compute.budget;
        // Requests of tests have no address.
        let taken = budget.take(Client::Own, budget.bytes_max() / 2).unwrap();
        let filter = router(service.clone());
        let status = async |path: &str| {
            let request = warp::test::request().path(path).header("host", "localhost");
            request.reply(&filter).await.status().as_u16()
        };
        assert_eq!((status("/livez").await, status("/openapi.json").await), (200, 503));
        drop(taken);
        assert_eq!(status("/openapi.json").await, 200);
        service.close();
    }

    #[tokio::test]
    async fn a_body_beyond_the_budget_is_refused_for_now() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { memory_bytes: 0, body_bytes_max: 64 << 20, ..Settings::default() };
        let body_bytes = settings.client_bytes_max();
        let service = Service::open(folder.path().to_owned(), settings).unwrap();
        let request = warp::test::request().method("POST").path("/v1/sql");
        let request = request.header("host", "localhost").body(vec![b' '; body_bytes]);
        let reply = request.reply(&router(service.clone())).await;
        assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.headers().contains_key("retry-after"));
        service.close();
    }
}
