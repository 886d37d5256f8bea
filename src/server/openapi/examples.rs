//! What the docs fill in: ids that exist, so that every operation can be tried out as it stands.

use uuid::Uuid;

use super::super::authorization;
use super::super::jobs::{Ending, State};
use super::super::keys::Role;
use super::super::request::Request;
use super::super::service::Service;
use crate::option_text::instant_text;

/// Reports that are looked at for a complete one, newest first.
const REPORTS_MAX: usize = 200;

/// Nothing, where there is no data, or the client may not read it.
#[derive(Default)]
pub struct Examples {
    /// A store's id, rather one that was polled and is written without signs that a path encodes.
    pub store: Option<String>,
    /// The newest complete report.
    pub report: Option<Uuid>,
    /// An instant to look back from, where there is no poll that would be it.
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
            // A browser takes these for steps to another path.
            let mut others = stores.after("").filter(|store| ![".", ".."].contains(&store.id));
            let found = polled.or_else(|| plain().next()).or_else(|| others.next());
            found.map(|store| store.id.to_owned())
        });
        Self { store, report, now }
    }
}
