//! Examples for the docs: ids that exist, so that every operation can be tried out as it stands.

use uuid::Uuid;

use super::super::authorization;
use super::super::jobs::{Ending, State};
use super::super::keys::Role;
use super::super::request::Request;
use super::super::service::Service;
use crate::rules::calendar::instant_text;

/// Newest reports that are searched for a complete one.
const REPORTS_MAX: usize = 200;

/// Ids for examples; none if there is no data, or the client may not read it.
#[derive(Default)]
pub struct Examples {
    /// Id of a store, preferably one that was polled and needs no encoding in a path.
    pub store: Option<String>,
    /// Newest complete report.
    pub report: Option<Uuid>,
    /// Latest poll as *now*, if there is any.
    pub now: Option<String>,
}

impl Examples {
    pub async fn read(service: &Service, request: &Request) -> Self {
        if authorization::caller(&service.settings, request, Some(Role::Read)).role.is_err() {
            return Self::default();
        }
        let reports = service.jobs.newest(None, REPORTS_MAX);
        let is_complete = |state| matches!(state, State::Ended(Ending::Complete(_)));
        let report = reports.iter().find(|job| is_complete(job.state())).map(|job| job.id);
        let Ok(snapshot) = service.snapshots.newest().await else {
            return Self { report, ..Self::default() };
        };
        let loaded_at = snapshot.dataset.loads().last().map(|load| load.loaded_at);
        let now = snapshot.latest_poll.map_or(loaded_at, |_| None).map(instant_text);
        let stores = snapshot.stores(&service.compute).await.ok();
        let store = stores.and_then(|stores| {
            let is_plain = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let plain = || stores.after("").filter(|store| is_plain(store.id));
            let polled = plain().find(|store| store.polls > 0);
            // Browsers treat these as relative path segments.
            let mut others = stores.after("").filter(|store| ![".", ".."].contains(&store.id));
            let found = polled.or_else(|| plain().next()).or_else(|| others.next());
            found.map(|store| store.id.to_owned())
        });
        Self { store, report, now }
    }
}
