//! Tests of the service: through its router without a socket, and as a process.

pub mod audit;
mod browsers;
mod clock;
mod crash;
mod documents;
mod guards;
mod keys;
mod legacy_api;
mod native;
pub mod process;
mod sockets;
pub mod sql;
mod sql_ends;
mod store_list;
mod stores;
mod survival;
mod try_out;
#[cfg(target_os = "linux")]
mod workers;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use uptally::internals::server::{Service, Settings, router};
use warp::filters::BoxedFilter;
use warp::http::Response;

use crate::harness::ingest;

/// A service over its own copy of the sample.
pub struct Served {
    data: TempDir,
    service: Service,
    router: BoxedFilter<(warp::reply::Response,)>,
}

impl Served {
    pub async fn with(settings: Settings) -> Self {
        let data = TempDir::new().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
        ingest(data.path(), &[&sample]).await.unwrap();
        Self::over(data, settings)
    }

    /// SQL runs in worker processes, as in the command.
    pub fn over(data: TempDir, mut settings: Settings) -> Self {
        settings.worker = worker();
        Self::in_process(data, settings)
    }

    /// This process answers them, unless the settings say otherwise.
    pub fn in_process(data: TempDir, settings: Settings) -> Self {
        let service = Service::open(data.path().to_owned(), settings).unwrap();
        let router = router(service.clone());
        Self { data, service, router }
    }

    /// Stops, and starts again with other settings.
    pub fn again(self, settings: Settings) -> Self {
        let Self { data, service, router } = self;
        service.close();
        drop((router, service));
        Self::over(data, settings)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// Headers are `name: value`; the host is `localhost` where they do not say.
    pub async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut request = warp::test::request().method(method).path(path);
        request = request.header("host", "localhost");
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        Answer(request.reply(&self.router).await)
    }

    /// Asks for a report and returns its id.
    pub async fn trigger(&self, options: &str) -> String {
        let answer = self.ask("POST", "/v1/reports", &[], options).await;
        assert_eq!(answer.status(), 202, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a report, and waits until it ended.
    pub async fn finished(&self, options: &str) -> String {
        let id = self.trigger(options).await;
        let state = self.get(&format!("/v1/reports/{id}?wait=60s")).await.json()["state"].clone();
        assert_eq!(state, "complete");
        id
    }
}

/// The program whose processes answer questions in SQL.
pub fn worker() -> Option<PathBuf> {
    cfg!(unix).then(|| env!("CARGO_BIN_EXE_uptally").into())
}

pub struct Answer(Response<Bytes>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// Empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.body()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.0.body())
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The sentence of a refusal, which has the form of RFC 9457.
    #[track_caller]
    pub fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Settings under which requested reports stay queued.
pub fn waiting() -> Settings {
    let mut settings = Settings::default();
    settings.reports.at_once = 0;
    settings
}

pub fn csv_of_sample() -> String {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let run = crate::harness::uptally(["report", sample.to_str().unwrap()]).output().unwrap();
    String::from_utf8(run.stdout).unwrap()
}
