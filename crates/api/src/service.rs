//! One request: which route, whether it is answered, how much is going on, and the answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use millrace_feature::plan::Plan;
use millrace_ledger::{Ids, Ledger};
use millrace_store::StoreError;
use millrace_stream::live::{Live, Recovery, Replayed};

use crate::admission::{Admission, Admitted};
use crate::answer::{self, Answer, JSON, METRICS};
use crate::body::{Body, read_and_drop};
use crate::error::{ApiError, Named};
use crate::events::Partitions;
use crate::features::unknown;
use crate::guard::Guard;
use crate::handover::Queue;
use crate::marks::{AllMarks, Marks};
use crate::meters::Meters;
use crate::query::Query;
use crate::route::{Kind, Route, shown};
use crate::server::ServeError;
use crate::settings::Settings;
use crate::views::ViewDesk;
use crate::{
    ask, dead_letters, decisions, definitions, events, features, health, media, metrics, openapi,
    resubmit, views,
};

/// How long a sender of events waits for its refusal when there are too many. One that sends again
/// at once, whatever it is told, would else keep the server busy with refusing.
const REFUSAL_DELAY: Duration = Duration::from_millis(100);

/// What all requests share.
#[derive(Debug)]
pub struct Service {
    pub plan: Arc<Plan>,
    pub settings: Settings,
    pub guard: Guard,
    pub admission: Admission,
    pub queue: Queue,
    pub meters: Meters,
    pub partitions: Partitions,
    /// One for each view of the plan.
    pub views: Vec<ViewDesk>,
    pub marks: AllMarks,
    definitions: bytes::Bytes,
    openapi: bytes::Bytes,
    live: OnceLock<Live>,
    ledger: OnceLock<Ledger>,
    /// Of decisions.
    pub ids: Ids,
    is_stopping: AtomicBool,
}

impl Service {
    /// # Errors
    /// When there are keys that cannot be read.
    pub fn new(plan: Arc<Plan>, settings: Settings) -> Result<Service, StoreError> {
        let guard =
            Guard::new(settings.listen, &settings.hosts, &settings.origins, &settings.data_dir)?;
        let desk = |view| ViewDesk::new(&plan, view, settings.records);
        Ok(Service {
            guard,
            admission: Admission::new(settings.limits),
            queue: Queue::default(),
            meters: Meters::new(plan.streams.len(), plan.decisions.len()),
            partitions: Partitions::default(),
            views: plan.views.iter().map(desk).collect(),
            marks: AllMarks::default(),
            definitions: line(definitions::document(&plan, &settings.models)),
            openapi: line(openapi::document(&plan)),
            live: OnceLock::new(),
            ledger: OnceLock::new(),
            ids: Ids::default(),
            is_stopping: AtomicBool::new(false),
            plan,
            settings,
        })
    }

    /// From now on there is an engine.
    ///
    /// # Errors
    /// [`ServeError::Marks`].
    pub fn ready(&self, live: Live, recovery: &Recovery) -> Result<(), ServeError> {
        for ((stream, partition), position) in &recovery.positions {
            if partition == resubmit::PARTITION {
                // Without its marks a letter would be handed over a second time.
                let marks = Marks::parse(position).ok_or_else(|| ServeError::Marks {
                    stream: stream.clone(),
                    given: shown(&String::from_utf8_lossy(position)),
                })?;
                self.marks.set(stream, marks);
            }
        }
        let sources = recovery.partitions.iter().filter(|name| *name != resubmit::PARTITION);
        self.partitions.seed(sources.cloned());
        // A second engine cannot come: the data directory has one owner.
        let _ = self.live.set(live);
        Ok(())
    }

    pub fn log_decisions(&self, ledger: Ledger) {
        // A second one cannot come: the data directory has one owner.
        let _ = self.ledger.set(ledger);
    }

    /// # Errors
    /// [`ApiError::NotLogged`] where there is no decision log.
    pub fn ledger(&self) -> Result<&Ledger, ApiError> {
        let none = || ApiError::NotLogged("this server was started without a decision log".into());
        self.ledger.get().ok_or_else(none)
    }

    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// [`ApiError::Recovering`], [`ApiError::Stopping`].
    pub fn live(&self) -> Result<&Live, ApiError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(ApiError::Stopping);
        }
        self.live.get().ok_or(ApiError::Recovering)
    }

    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        let route = Route::of(request.method(), request.uri().path());
        let kind = route.as_ref().map_or(Kind::Unknown, Route::kind);
        let is_head = request.method() == Method::HEAD;
        let (head, mut incoming) = request.into_parts();
        let admitted = self.guard.admit(&head.uri, &head.headers);
        let admitted = admitted.map(Option::<&HeaderValue>::cloned);
        let page = admitted.as_ref().ok().cloned().flatten();
        let mut answer = match self.decide(admitted, kind, route, (&head, &mut incoming)).await {
            Ok(answer) => answer,
            Err(error) => {
                let is_whole = read_and_drop(&mut incoming, &head.headers, REFUSAL_DELAY).await;
                if kind == Kind::Events && matches!(error, ApiError::Overloaded { .. }) {
                    tokio::time::sleep(REFUSAL_DELAY.saturating_sub(begun.elapsed())).await;
                }
                let mut answer = answer::error(&error);
                if !is_whole {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
        };
        if let Some(page) = page {
            answer::allow(&mut answer, page);
        }
        let is_read = matches!(kind, Kind::Features | Kind::ManyFeatures | Kind::View);
        if is_read && answer.status() == StatusCode::OK {
            self.meters.reads.observe(begun.elapsed(), 1);
        }
        if kind == Kind::Decision && answer.status() == StatusCode::OK {
            self.meters.decisions.observe(begun.elapsed(), 1);
        }
        self.meters.request(kind, answer.status());
        if is_head {
            *answer.body_mut() = http_body_util::Full::default();
        }
        answer
    }

    async fn decide(
        self: &Arc<Self>,
        admitted: Result<Option<HeaderValue>, ApiError>,
        kind: Kind,
        route: Result<Route, ApiError>,
        (head, incoming): (&Parts, &mut Incoming),
    ) -> Result<Answer, ApiError> {
        // A browser asks for an allowed page, before it sends the request that carries the key.
        if admitted?.is_some() && head.method == Method::OPTIONS {
            return Ok(answer::preflight());
        }
        // Who may not ask is not told what there is to ask for.
        self.guard.check_key(kind, &head.headers)?;
        self.route(route?, head, incoming).await
    }

    async fn route(
        self: &Arc<Self>,
        route: Route,
        head: &Parts,
        incoming: &mut Incoming,
    ) -> Result<Answer, ApiError> {
        let query = Query::of(head.uri.query().unwrap_or(""), route.kind().parameters())?;
        let json = |body: Vec<u8>| answer::json(StatusCode::OK, body);
        match route {
            Route::Health => Ok(health::alive()),
            Route::Ready => Ok(health::ready(self)),
            Route::Metrics => {
                let text = metrics::text(self).await?;
                Ok(answer::of(StatusCode::OK, METRICS, text))
            }
            Route::Definitions => Ok(answer::of(StatusCode::OK, JSON, self.definitions.clone())),
            Route::Events { stream } => {
                let live = self.live()?;
                let names = || self.plan.streams.iter().map(|s| &*s.schema.stream);
                let index = self.plan.stream(&stream);
                let index = index.ok_or_else(|| unknown(Named::Stream, &stream, names()))?;
                let _admitted = self.admission.ingest(incoming.size_hint().exact())?;
                let body = self.body(incoming, self.settings.limits.events_body_max);
                events::ingest(self, live, index, &query, &head.headers, body).await.map(json)
            }
            Route::Features { group, key } => {
                let (live, _admitted) = self.admit_read()?;
                features::one(self, live, &group, &key, &query).await.map(json)
            }
            Route::ManyFeatures => {
                let (live, _admitted) = self.admit_read()?;
                let body = self.small_body(incoming, &head.headers)?;
                features::many(self, live, body).await.map(json)
            }
            Route::View { view } => {
                let (live, _admitted) = self.admit_read()?;
                let body = self.small_body(incoming, &head.headers)?;
                views::view(self, live, &view, body).await.map(json)
            }
            Route::Decision { decision } => {
                let (live, _admitted) = self.admit_read()?;
                let body = self.small_body(incoming, &head.headers)?;
                decisions::decide(self, live, &decision, body).await.map(json)
            }
            Route::ReplayLate => {
                let Replayed { events, removed } = ask::replay_late(self.live()?).await?;
                let text = format!("{{\"replayed\":{events},\"removed\":{removed}}}");
                Ok(json(text.into_bytes()))
            }
            Route::Checkpoint => {
                let live = self.live()?;
                ask::checkpoint(live).await?;
                let status = ask::status(live).await?;
                let (epoch, bytes) = (status.checkpoint_epoch, status.checkpoint_bytes);
                let frontier = status.frontier;
                let body =
                    format!("{{\"epoch\":{epoch},\"bytes\":{bytes},\"frontier\":{frontier}}}");
                Ok(json(body.into_bytes()))
            }
            Route::OpenApi => Ok(answer::of(StatusCode::OK, JSON, self.openapi.clone())),
            Route::DeadLetters => {
                let (_live, _admitted) = self.admit_read()?;
                dead_letters::list(self, &query).await.map(json)
            }
            Route::Resubmit => {
                let live = self.live()?;
                let admitted = self.admission.ingest(incoming.size_hint().exact())?;
                media::check_json(&head.headers)?;
                let body = self.body(incoming, self.settings.limits.events_body_max);
                resubmit::resubmit(self, live, admitted, body).await.map(json)
            }
        }
    }

    fn admit_read(&self) -> Result<(&Live, Admitted), ApiError> {
        Ok((self.live()?, self.admission.read()?))
    }

    fn body<'a>(&self, incoming: &'a mut Incoming, limit: usize) -> Body<'a> {
        Body::new(incoming, limit, self.settings.limits.body_timeout)
    }

    /// A body of JSON under the general limit, refused by its head where that says enough.
    fn small_body<'a>(
        &self,
        incoming: &'a mut Incoming,
        headers: &HeaderMap,
    ) -> Result<Body<'a>, ApiError> {
        let limit = self.settings.limits.body_max;
        if incoming.size_hint().lower() > limit as u64 {
            return Err(ApiError::BodyTooLarge { limit });
        }
        media::check_json(headers)?;
        Ok(self.body(incoming, limit))
    }
}

/// A document that ends its line.
fn line(mut document: Vec<u8>) -> bytes::Bytes {
    document.push(b'\n');
    document.into()
}
