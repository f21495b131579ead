//! What the metrics show, and to how many labels they are held.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

use crate::testing::{Bench, ISSUER, Step, URL, ask, keys_of, loaded, settle};

/// Keeps every figure by its name and labels.
#[derive(Clone, Default)]
struct Figures(Arc<Mutex<BTreeMap<String, f64>>>);

struct Figure(Figures, String);

impl Figures {
    fn of(&self, key: &Key) -> Arc<Figure> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Figure(self.clone(), format!("{} {}", key.name(), labels.join(" "))))
    }

    fn shown(&self, name: &str) -> f64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl CounterFn for Figure {
    fn increment(&self, value: u64) {
        let mut figures = self.0.0.lock().unwrap();
        *figures.entry(self.1.clone()).or_default() += f64::from(u32::try_from(value).unwrap());
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Figure {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

#[tokio::test]
async fn count_fetches_failures_and_refusals_and_show_the_staleness() {
    let figures = Figures::default();
    let _recorder = metrics::set_default_local_recorder(&figures);
    let (bench, keys) = loaded().await;
    let shown = |name: &str| figures.shown(&name.replace("ISSUER", &format!("issuer={ISSUER}")));
    assert_eq!(shown("tenantry_key_fetches_total ISSUER outcome=loaded"), 1.0);

    bench.script.says(URL, [Step::from(keys_of(["a"])).with_etag("\"1\""), 304.into()]);
    for kid in ["b", "b", "c", "d", "e"] {
        assert!(ask(&keys, kid).await.is_err());
    }
    assert_eq!(shown("tenantry_key_fetches_total ISSUER outcome=loaded"), 2.0);
    assert_eq!(shown("tenantry_key_fetches_total ISSUER outcome=unchanged"), 1.0);
    assert_eq!(shown("tenantry_key_refusals_total ISSUER reason=absent"), 1.0);
    assert_eq!(shown("tenantry_key_refusals_total ISSUER reason=budget"), 2.0);

    bench.script.says(URL, [503.into()]);
    bench.advance(700);
    keys.warm();
    settle(&keys).await;
    assert!(ask(&keys, "b").await.is_err());
    assert_eq!(shown("tenantry_key_fetches_total ISSUER outcome=failed"), 1.0);
    assert_eq!(shown("tenantry_key_fetch_failures_total ISSUER kind=status"), 1.0);
    assert_eq!(shown("tenantry_key_refusals_total ISSUER reason=back_off"), 1.0);
    assert_eq!(shown("tenantry_key_staleness_seconds ISSUER"), 100.0);
    bench.advance(23);
    let _ = keys.status();
    assert_eq!(shown("tenantry_key_staleness_seconds ISSUER"), 123.0);
    bench.script.says(URL, [keys_of(["a"]).into()]);
    bench.advance(60);
    keys.warm();
    settle(&keys).await;
    assert_eq!(shown("tenantry_key_staleness_seconds ISSUER"), 0.0);
}

#[tokio::test]
async fn have_one_label_for_all_issuers_found_by_a_pattern() {
    let figures = Figures::default();
    let _recorder = metrics::set_default_local_recorder(&figures);
    let bench = Bench::new();
    for number in 0..100 {
        let keys = bench.found(&format!("stranger-{number}"));
        let _ = ask(&keys, &format!("made-up-{number}")).await;
    }
    let shown = figures.0.lock().unwrap().clone();
    assert_eq!(
        shown.into_iter().collect::<Vec<_>>(),
        [
            ("tenantry_key_fetch_failures_total issuer=pattern kind=status".into(), 100.0),
            ("tenantry_key_fetches_total issuer=pattern outcome=failed".into(), 100.0),
        ]
    );
}
