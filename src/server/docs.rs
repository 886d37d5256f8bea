//! `/docs`: Swagger UI over `/openapi.json`, from files in the binary; nothing else is loaded.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use utoipa_swagger_ui::{Config, serve};
use warp::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use warp::http::{Response, StatusCode};
use warp::reply::Response as Reply;

use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::{IsCounted, content};

const PAGE: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>uptally</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/swagger-initializer.js"></script>
</body>
</html>
"##;

/// Content security policy: only this server's files run or are contacted; no page may frame it.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

pub fn page() -> Reply {
    let mut reply = content(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    reply
}

pub fn asset(request: &Request) -> Answer {
    let name = request.path.first().map_or("", String::as_str);
    let unknown = || Refusal::unknown(format!("there is nothing called {name:?} in the docs"));
    let found = serve(name, Arc::new(Config::from("/openapi.json"))).ok().flatten();
    let file = found.ok_or_else(unknown)?;
    // Clients that read slowly must not each keep a copy.
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut reply = Response::new(bytes.into());
    reply.extensions_mut().insert(IsCounted);
    let headers = reply.headers_mut();
    headers.extend(HeaderValue::from_str(&file.content_type).ok().map(|kind| (CONTENT_TYPE, kind)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(reply)
}
