//! What was logged, as text and by field.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Keeps every event and span of this thread, at every level, until it is dropped.
#[derive(Debug)]
pub struct Log {
    kept: Arc<Mutex<Kept>>,
    _guard: DefaultGuard,
}

/// One event or span, by field.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// How loud.
    pub level: Level,
    /// The crate and module that wrote it.
    pub target: String,
    /// What a span is called; for an event, where it stands.
    pub name: String,
    /// Every field as text, the message among them.
    pub fields: BTreeMap<String, String>,
    /// The fields of the spans that an event is in, from the outermost.
    pub spans: Vec<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Kept {
    events: Vec<Event>,
    spans: Vec<Event>,
}

impl Log {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let subscriber = tracing_subscriber::registry().with(Collect(Arc::clone(&kept)));
        Self { kept, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Takes the events since the last time.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.kept.lock().unwrap().events)
    }

    /// Takes the spans since the last time.
    #[must_use]
    pub fn spans(&self) -> Vec<Event> {
        std::mem::take(&mut self.kept.lock().unwrap().spans)
    }
}

impl Event {
    fn new(metadata: &Metadata<'_>, fields: BTreeMap<String, String>) -> Self {
        Self {
            level: *metadata.level(),
            target: metadata.target().into(),
            name: metadata.name().into(),
            fields,
            spans: Vec::new(),
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

struct Collect(Arc<Mutex<Kept>>);

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields.clone());
        }
        let span = Event::new(attributes.metadata(), fields.0);
        self.0.lock().unwrap().spans.push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Fields>()
        {
            known.0.extend(fields.0);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event);
        let spans = scope.into_iter().flat_map(|scope| scope.from_root());
        let spans = spans
            .filter_map(|span| span.extensions().get::<Fields>().cloned())
            .map(|fields| fields.0)
            .collect();
        let event = Event { spans, ..Event::new(event.metadata(), fields.0) };
        self.0.lock().unwrap().events.push(event);
    }
}

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }
}
