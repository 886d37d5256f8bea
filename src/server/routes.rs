//! Routes: a line for every path, shared by router, authorization, metrics and API document.

use warp::http::Method;

use super::keys::Role;

/// Operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    TriggerDashed,
    ReportDashed,
    TriggerUnderscored,
    ReportByName,
    ReportByPath,
    DownloadByPath,
    CreateReport,
    ListReports,
    ShowReport,
    DownloadReport,
    DeleteReport,
    ListStores,
    Uptime,
    Timeline,
    Incidents,
    Hours,
    Explain,
    Sql,
    Versions,
    Livez,
    Readyz,
    Metrics,
    OpenApi,
    Docs,
    DocsAsset,
}

pub struct Route {
    pub method: Method,
    /// `{name}` matches a segment, `{name}.{name}` one with a dot in it.
    pub path: &'static str,
    pub endpoint: Endpoint,
    /// Role that is needed; `None` for everybody, even without a key.
    pub role: Option<Role>,
    pub takes_body: bool,
}

impl Route {
    /// Returns true if a request changes state or runs a client's SQL, whatever its method: pages
    /// of other sites may not send it.
    pub fn is_guarded(&self) -> bool {
        self.method != Method::GET || self.role > READ || self.endpoint == Endpoint::Sql
    }

    /// Returns true if a response says only that the service is alive or ready.
    pub fn is_probe(&self) -> bool {
        matches!(self.endpoint, Endpoint::Livez | Endpoint::Readyz)
    }
}

const fn get(path: &'static str, endpoint: Endpoint, role: Option<Role>) -> Route {
    Route { method: Method::GET, path, endpoint, role, takes_body: false }
}

const fn post(path: &'static str, endpoint: Endpoint, role: Role) -> Route {
    Route { method: Method::POST, path, endpoint, role: Some(role), takes_body: true }
}

const READ: Option<Role> = Some(Role::Read);
const RUN: Option<Role> = Some(Role::Run);

pub static ROUTES: &[Route] = &[
    post("/trigger-report", Endpoint::TriggerDashed, Role::Run),
    get("/get-report/{id}", Endpoint::ReportDashed, READ),
    get("/trigger_report", Endpoint::TriggerUnderscored, RUN),
    post("/trigger_report", Endpoint::TriggerUnderscored, Role::Run),
    get("/get_report", Endpoint::ReportByName, READ),
    post("/get_report", Endpoint::ReportByName, Role::Read),
    get("/get_report/{id}", Endpoint::ReportByPath, READ),
    get("/download_report", Endpoint::DownloadByPath, READ),
    post("/v1/reports", Endpoint::CreateReport, Role::Run),
    get("/v1/reports", Endpoint::ListReports, READ),
    get("/v1/reports/{id}", Endpoint::ShowReport, READ),
    get("/v1/reports/{id}.{format}", Endpoint::DownloadReport, READ),
    Route {
        method: Method::DELETE,
        path: "/v1/reports/{id}",
        endpoint: Endpoint::DeleteReport,
        role: RUN,
        takes_body: false,
    },
    get("/v1/stores", Endpoint::ListStores, READ),
    get("/v1/stores/{id}/uptime", Endpoint::Uptime, READ),
    get("/v1/stores/{id}/timeline", Endpoint::Timeline, READ),
    get("/v1/stores/{id}/incidents", Endpoint::Incidents, READ),
    get("/v1/stores/{id}/hours", Endpoint::Hours, READ),
    get("/v1/explain", Endpoint::Explain, READ),
    get("/v1/sql", Endpoint::Sql, READ),
    post("/v1/sql", Endpoint::Sql, Role::Read),
    get("/v1/versions", Endpoint::Versions, READ),
    get("/livez", Endpoint::Livez, None),
    get("/readyz", Endpoint::Readyz, None),
    get("/metrics", Endpoint::Metrics, READ),
    get("/openapi.json", Endpoint::OpenApi, None),
    get("/docs", Endpoint::Docs, None),
    get("/docs/{file}", Endpoint::DocsAsset, None),
];

/// Result of looking up a path.
pub enum Found {
    Route(&'static Route, Vec<String>),
    /// The path exists, but not with this method.
    OtherMethods(Vec<&'static Method>),
    /// The path exists without trailing slashes.
    WithoutSlash(String),
    Nothing,
}

impl Found {
    pub fn route(&self) -> Option<&'static Route> {
        match self {
            Self::Route(route, _) => Some(route),
            Self::OtherMethods(_) | Self::WithoutSlash(_) | Self::Nothing => None,
        }
    }
}

/// Finds the route of a request; `HEAD` is answered wherever `GET` is.
pub fn find(method: &Method, path: &str) -> Found {
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(open) = match_path(route.path, path) else { continue };
        let answers =
            route.method == *method || (*method == Method::HEAD && route.method == Method::GET);
        if answers {
            return Found::Route(route, open);
        }
        others.push(&route.method);
    }
    let shorter = path.trim_end_matches('/');
    let is_there = || ROUTES.iter().any(|route| match_path(route.path, shorter).is_some());
    match others.is_empty() {
        false => Found::OtherMethods(others),
        true if shorter.len() < path.len() && is_there() => Found::WithoutSlash(shorter.to_owned()),
        true => Found::Nothing,
    }
}

/// Decoded parameters of the path under a pattern; `None` if it does not match.
fn match_path(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut open = Vec::new();
    let mut given = path.strip_prefix('/')?.split('/');
    for expected in pattern.strip_prefix('/')?.split('/') {
        let segment = given.next()?;
        match expected {
            "{id}.{format}" => {
                let (id, format) = segment.split_once('.')?;
                open.push(super::request::percent_decode(id)?);
                open.push(super::request::percent_decode(format)?);
            }
            // Only report ids with a format have a dot: a store's id may hold any character.
            "{id}" if pattern.ends_with("reports/{id}") && segment.contains('.') => return None,
            name if name.starts_with('{') => {
                let segment = super::request::percent_decode(segment)?;
                (!segment.is_empty()).then_some(())?;
                open.push(segment);
            }
            literal => (literal == segment).then_some(())?,
        }
    }
    given.next().is_none().then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, expected: Option<(Endpoint, &[&str])>) {
        let found = match find(&method, path) {
            Found::Route(route, open) => Some((route.endpoint, open)),
            _ => None,
        };
        let expected = expected
            .map(|(endpoint, open)| (endpoint, open.iter().map(|s| (*s).to_owned()).collect()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_leads_to_its_endpoint_with_its_parameters() {
        check(Method::GET, "/get_report/x", Some((Endpoint::ReportByPath, &["x"])));
        check(Method::HEAD, "/v1/reports/x.csv", Some((Endpoint::DownloadReport, &["x", "csv"])));
        check(Method::GET, "/v1/reports/x", Some((Endpoint::ShowReport, &["x"])));
        check(Method::DELETE, "/v1/reports/x", Some((Endpoint::DeleteReport, &["x"])));
        check(Method::GET, "/v1/stores/a%2Fb.c/hours", Some((Endpoint::Hours, &["a/b.c"])));
        check(Method::GET, "/get_report/", None);
        check(Method::GET, "/get_report/x/y", None);
        check(Method::GET, "/", None);
        check(Method::GET, "", None);
    }

    #[test]
    fn a_trailing_slash_differs_from_an_unknown_path() {
        for (path, expected) in [
            ("/docs/", Some("/docs")),
            ("/docs///", Some("/docs")),
            ("/v1/stores/a%2F/hours/", Some("/v1/stores/a%2F/hours")),
            ("/v1/reports/", Some("/v1/reports")),
            ("/", None),
            ("//docs/", None),
            ("/docs//swagger-ui.css/", None),
            ("/v1/", None),
        ] {
            let shorter = match find(&Method::GET, path) {
                Found::WithoutSlash(shorter) => Some(shorter),
                _ => None,
            };
            assert_eq!(shorter.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_wrong_method_differs_from_an_unknown_path() {
        let found = find(&Method::DELETE, "/trigger_report");
        let Found::OtherMethods(methods) = found else { panic!("is a route") };
        assert_eq!(methods, [&Method::GET, &Method::POST]);
        assert!(matches!(find(&Method::GET, "/reports"), Found::Nothing));
    }
}
