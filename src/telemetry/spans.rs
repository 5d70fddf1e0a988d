//! From spans of `tracing` to spans of a trace.
//!
//! There is a crate for that. It is not used because the ids are ours to choose (a sync is found by its run, in whichever
//! process it goes on), because what is kept is decided when all is over (a failure always is), and because it takes the
//! texts of log lines along, which may quote what a customer wrote.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::Result;
use cpq_domain::trace::TraceContext;
use cpq_domain::world::World as _;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::config::TracesConfig;
use crate::telemetry::TARGET;
use crate::telemetry::export::{Loss, Queue};
use crate::telemetry::fields::{Fields, shortened};
use crate::telemetry::sampling::Sampler;
use crate::world::RealWorld;

/// Spans of one trace that wait for its end to see whether it failed; a sync of a long quote has a few hundred.
const HELD_SPANS: usize = 1_000;
/// Links of a span; a call carries at most 200 syncs.
const LINKS: usize = 256;

/// Admits spans of ours: all when there are traces, else only those whose fields belong to log lines, if there are any.
#[derive(Clone, Copy)]
pub(super) struct OurSpans {
    pub(super) traced: bool,
    pub(super) logged: bool,
}

impl OurSpans {
    pub(super) fn admits(self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && metadata.target() == TARGET
            && (self.traced || (self.logged && metadata.fields().field("correlation").is_some()))
    }
}

impl<S> Filter<S> for OurSpans {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.admits(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.admits(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    /// Without it each record of a library that logs in every detail would be looked at.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

/// What is said of a span in each log line within it.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) correlation: Option<Arc<str>>,
    pub(super) connection: Option<Arc<str>>,
    pub(super) opportunity: Option<Arc<str>>,
}

/// How traces are made.
pub(super) struct Tracing {
    world: RealWorld,
    sampler: Sampler,
    keep_failures: bool,
    queue: Queue,
}

impl Tracing {
    /// [`cpq_domain::Code::ConfigInvalid`] when `OTEL_TRACES_SAMPLER` names no sampler.
    pub(super) fn new(config: &TracesConfig, queue: Queue) -> Result<Tracing> {
        let variable = |name: &str| std::env::var(name).ok();
        let sampler = Sampler::of(
            config.ratio,
            variable("OTEL_TRACES_SAMPLER").as_deref(),
            variable("OTEL_TRACES_SAMPLER_ARG").as_deref(),
        )?;
        Ok(Tracing {
            world: RealWorld::new(),
            sampler,
            keep_failures: config.keep_failures,
            queue,
        })
    }

    /// Random and not zero.
    fn span_id(&self) -> u64 {
        let mut bytes = [0; 8];
        self.world.fill_random(&mut bytes);
        u64::from_le_bytes(bytes).max(1)
    }

    fn trace_id(&self) -> u128 {
        let mut bytes = [0; 16];
        self.world.fill_random(&mut bytes);
        u128::from_le_bytes(bytes).max(1)
    }

    /// Where a span is: below the one that it is within here, else below one elsewhere, else at the beginning.
    fn place(&self, fields: &Fields, within: Option<&Place>) -> Place {
        let below = |trace, parent, remote, root| Place {
            trace,
            span: self.span_id(),
            parent,
            remote,
            root,
        };
        let root = |sampled| Arc::new(Root::new(sampled, fields.joint));
        if let Some(within) = within {
            return below(within.trace, within.span, false, within.root.clone());
        }
        if let Some(given) = fields.traceparent {
            let root = root(self.sampler.keeps_under(given));
            return below(given.trace(), given.span(), true, root);
        }
        let Some(origin) = fields.origin else {
            let trace = self.trace_id();
            let sampled = !fields.joint && self.sampler.keeps(trace);
            return below(trace, 0, false, root(sampled));
        };
        let root = root(self.sampler.keeps(origin.trace()));
        match fields.first {
            true => Place {
                span: origin.span(),
                ..below(origin.trace(), 0, false, root)
            },
            false => below(origin.trace(), origin.span(), true, root),
        }
    }

    fn begin(&self, name: &'static str, fields: Fields, within: Option<&Place>) -> Traced {
        let place = self.place(&fields, within);
        let mut data = SpanData {
            span_context: place.span_context(),
            parent_span_id: SpanId::from(place.parent),
            parent_span_is_remote: place.remote,
            span_kind: fields.kind.clone().unwrap_or(SpanKind::Internal),
            name: name.into(),
            start_time: self.world.now().into(),
            end_time: std::time::SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("cpq").build(),
        };
        add(&mut data, fields);
        Traced { place, data }
    }

    /// Hands it over, or holds it back until it is known whether its trace failed.
    fn end(&self, mut traced: Traced) {
        traced.data.end_time = self.world.now().into();
        let (place, data) = (traced.place, traced.data);
        let (root, ends) = (&place.root, place.is_root());
        let failed = matches!(data.status, Status::Error { .. });
        let failed = root.failed.fetch_or(failed, Ordering::Relaxed) || failed;
        if root.sampled.load(Ordering::Relaxed) {
            return self.queue.put(data);
        }
        if !self.keep_failures {
            return;
        }
        let mut held = root.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.len() < HELD_SPANS {
            true => held.push(data),
            false => Loss::TooMany.count(1),
        }
        if ends && failed {
            held.drain(..).for_each(|data| self.queue.put(data));
        }
    }
}

/// Where a span is in its trace.
struct Place {
    trace: u128,
    span: u64,
    /// Zero where it is the first.
    parent: u64,
    /// Whether the parent is in another process, or another task of this one.
    remote: bool,
    root: Arc<Root>,
}

impl Place {
    /// Whether it is the first one here.
    fn is_root(&self) -> bool {
        self.parent == 0 || self.remote
    }

    fn context(&self) -> Option<TraceContext> {
        TraceContext::new(self.trace, self.span, self.root.sampled.load(Ordering::Relaxed))
    }

    fn span_context(&self) -> SpanContext {
        span_context(self.trace, self.span)
    }
}

/// What the spans of a trace have in common as long as they are in one task.
struct Root {
    sampled: AtomicBool,
    /// Whether it is sampled if one that it is linked with is.
    joint: bool,
    failed: AtomicBool,
    held: Mutex<Vec<SpanData>>,
}

impl Root {
    fn new(sampled: bool, joint: bool) -> Root {
        Root {
            sampled: sampled.into(),
            joint,
            failed: AtomicBool::default(),
            held: Mutex::default(),
        }
    }
}

/// A span under way.
struct Traced {
    place: Place,
    data: SpanData,
}

/// The context of a span, if it is traced.
pub(super) fn context<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<TraceContext> {
    span.extensions().get::<Traced>()?.place.context()
}

/// Keeps with each span what is told in its log lines, and makes a span of a trace of it.
pub(super) struct Spans {
    tracing: Option<Tracing>,
}

impl Spans {
    /// Without tracing nothing but the log lines is served.
    pub(super) fn new(tracing: Option<Tracing>) -> Spans {
        Spans { tracing }
    }
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = span.parent();
        let around = parent.as_ref().map(SpanRef::extensions);
        let told = tell(&fields, around.as_ref().and_then(|around| around.get::<Told>()));
        let traced = self.tracing.as_ref().map(|tracing| {
            let within = around.as_ref().and_then(|around| around.get::<Traced>());
            tracing.begin(span.name(), fields, within.map(|traced| &traced.place))
        });
        drop(around);
        let mut own = span.extensions_mut();
        own.insert(told);
        if let Some(traced) = traced {
            own.insert(traced);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(traced) = span.extensions_mut().get_mut::<Traced>() {
            let mut fields = Fields::default();
            values.record(&mut fields);
            add(&mut traced.data, fields);
        }
    }

    /// Both get a link to each other.
    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let (Some(span), Some(other)) = (ctx.span(id), ctx.span(follows)) else {
            return;
        };
        let (Some(own), Some(their)) = (context(&span), context(&other)) else {
            return;
        };
        for (one, to) in [(&span, their), (&other, own)] {
            if let Some(traced) = one.extensions_mut().get_mut::<Traced>() {
                link(&mut traced.data, to);
            }
        }
        if let Some(traced) = span.extensions().get::<Traced>()
            && traced.place.root.joint
            && their.is_sampled()
        {
            traced.place.root.sampled.store(true, Ordering::Relaxed);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let (Some(tracing), Some(span)) = (&self.tracing, ctx.span(&id)) else {
            return;
        };
        let traced = span.extensions_mut().remove::<Traced>();
        if let Some(traced) = traced {
            tracing.end(traced);
        }
    }
}

/// What the lines of a span tell: what it says itself, else what is said around it.
fn tell(fields: &Fields, around: Option<&Told>) -> Told {
    let around = around.cloned().unwrap_or_default();
    let own = |said: &Option<String>| said.as_deref().map(Arc::from);
    Told {
        correlation: own(&fields.correlation).or(around.correlation),
        connection: own(&fields.connection).or(around.connection),
        opportunity: own(&fields.opportunity).or(around.opportunity),
    }
}

/// Adds what a span says of itself.
fn add(data: &mut SpanData, fields: Fields) {
    if let Some(name) = fields.name {
        data.name = name.into();
    }
    let named = [
        ("cpq.correlation_id", fields.correlation),
        ("cpq.connection", fields.connection),
        ("cpq.opportunity", fields.opportunity),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            set(data, KeyValue::new(name, shortened(&value)));
        }
    }
    fields.attributes.into_iter().for_each(|one| set(data, one));
    if let Some(code) = fields.code.filter(|_| data.status == Status::Unset) {
        data.attributes.push(KeyValue::new("error.type", code.clone()));
        data.status = Status::error(code);
    }
    let trace = u128::from_be_bytes(data.span_context.trace_id().to_bytes());
    if let Some(to) = fields.link.filter(|to| to.trace() != trace) {
        link(data, to);
    }
}

/// An attribute is there once; what is said later counts.
fn set(data: &mut SpanData, one: KeyValue) {
    match data.attributes.iter_mut().find(|known| known.key == one.key) {
        Some(known) => known.value = one.value,
        None => data.attributes.push(one),
    }
}

fn link(data: &mut SpanData, to: TraceContext) {
    if data.links.links.len() < LINKS {
        let to = span_context(to.trace(), to.span());
        data.links.links.push(Link::with_context(to));
    } else {
        data.links.dropped_count += 1;
    }
}

/// Whatever is sent is kept, so its flag says so.
fn span_context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    )
}
