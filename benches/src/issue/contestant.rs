//! Who takes turns, and what a turn costs.

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use rustix::time::{ClockId, clock_gettime};

use crate::signature::signature;
use crate::site::{Open, Site};
use crate::{ALLOCATIONS, Failed};

const ROUNDS: usize = 100;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Contestant {
    Signature,
    Token,
    Request,
    Logged,
    Accounted,
    Renewable,
}

use Contestant::{Accounted, Logged, Renewable, Request, Signature, Token};

/// What one of a turn costs, in time and in allocations.
type Cost = (Duration, usize);

impl Contestant {
    /// Those that nobody logs.
    pub(crate) const SILENT: &[Self] = &[Signature, Token, Request, Accounted, Renewable];
    /// The same with a log: what is measured is the difference.
    pub(crate) const LOGGED: &[Self] = &[Signature, Logged];

    const fn name(self) -> &'static str {
        match self {
            Signature => "signature",
            Token => "token",
            Request => "request",
            Logged => "logged",
            Accounted => "accounted",
            Renewable => "renewable",
        }
    }

    /// How many there are in a turn. A round without any is left out.
    const fn count(self, round: usize) -> usize {
        match self {
            // So many that the look into the table at the end of the turn does not count.
            Accounted if round % 10 == 0 => 2000,
            Accounted => 0,
            Renewable => 20,
            // So many that what the turn before left in the caches does not count, nor a processor that slept.
            _ => 400,
        }
    }
}

/// What contestants work with.
struct Bench {
    open: Open,
    signature: Box<dyn FnMut()>,
}

impl Bench {
    async fn open(site: &Site) -> Result<Self, Failed> {
        let open = site.open().await?;
        let token = open.issue(0).await.token;
        let message = token.rsplit_once('.').ok_or("a token has three parts")?.0;
        let signature = signature(site.algorithm, vec![b'a'; message.len()]);
        Ok(Self { open, signature })
    }

    async fn turn(&mut self, contestant: Contestant, count: usize) -> Result<Cost, Failed> {
        let cost = if contestant == Accounted {
            self.accounted(count).await?
        } else {
            let mut costs = Vec::with_capacity(count);
            for at in 0..count {
                costs.push(self.one(contestant, at).await);
            }
            costs.sort_unstable();
            costs[count / 2]
        };
        self.open.settle().await?;
        Ok(cost)
    }

    /// The request is made just before it is sent, as by a connection, and not counted.
    async fn one(&mut self, contestant: Contestant, at: usize) -> Cost {
        let request = match contestant {
            Signature | Token => None,
            _ => Some(self.open.request(contestant == Renewable)),
        };
        let (allocations, start) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
        match (request, contestant) {
            (Some(request), _) => self.open.ask(request).await,
            (None, Token) => drop(black_box(self.open.issue(at).await)),
            (None, _) => (self.signature)(),
        }
        (start.elapsed(), ALLOCATIONS.load(Ordering::Relaxed) - allocations)
    }

    /// Requests, and what is left to be done when they are answered, on all threads.
    async fn accounted(&mut self, count: usize) -> Result<Cost, Failed> {
        let (allocations, start) = (ALLOCATIONS.load(Ordering::Relaxed), processor_time());
        for at in 0..count {
            let request = self.open.request(false);
            self.open.ask(request).await;
            if at % 20 == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.open.settle().await?;
        let time = (processor_time() - start) / u32::try_from(count)?;
        Ok((time, (ALLOCATIONS.load(Ordering::Relaxed) - allocations) / count))
    }
}

/// That of all threads of the process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

pub(crate) async fn measure(
    site: &Site,
    contestants: &[Contestant],
    figures: &PrometheusHandle,
) -> Result<(), Failed> {
    let mut bench = Bench::open(site).await?;
    let mut costs = vec![Vec::new(); contestants.len()];
    for round in 0..ROUNDS {
        let mut bare = 0.0;
        for (&contestant, costs) in contestants.iter().zip(&mut costs) {
            let count = contestant.count(round);
            if count > 0 {
                let (time, allocations) = bench.turn(contestant, count).await?;
                let time = time.as_secs_f64();
                if contestant == Signature {
                    bare = time;
                }
                costs.push((time, bare / time, allocations));
            }
        }
        // As the program does it, every few seconds.
        figures.run_upkeep();
    }
    for (contestant, costs) in contestants.iter().zip(costs) {
        let times = sorted(costs.iter().map(|(time, ..)| *time));
        let ratios = sorted(costs.iter().map(|(_, ratio, _)| *ratio));
        println!(
            "{:8} {:10} {:10} {:>10.0} {:>8.3} {:>7}",
            site.algorithm,
            site.database,
            contestant.name(),
            1.0 / times[times.len() / 10],
            ratios[ratios.len() / 2],
            costs[costs.len() / 2].2,
        );
    }
    bench.open.server.close().await;
    Ok(())
}

/// Runs one contestant alone.
pub(crate) async fn profile(site: &Site, name: &str) -> Result<(), Failed> {
    let mut bench = Bench::open(site).await?;
    let named = Contestant::SILENT.iter().find(|contestant| contestant.name() == name);
    let contestant = *named.ok_or("no such contestant")?;
    for _ in 0..20 {
        bench.turn(contestant, 2000).await?;
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
