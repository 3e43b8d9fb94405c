//! The dead man's switch: beats go out only while weir does what it is for, so that their end is
//! news, whatever ended them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::daemon::outlet::Outlet;
use crate::daemon::status::Status;
use crate::notify::heartbeat::Heart;

/// How soon it looks again after a beat that was not taken or not sent.
const AGAIN: Duration = Duration::from_secs(5);

/// What the task of one heart works with.
#[derive(Debug)]
pub struct Beater {
    /// Who is told.
    pub heart: Heart,
    /// How often.
    pub every: Duration,
    /// For how long a thread may give no sign of life.
    pub stuck_after: Duration,
    /// Its ways.
    pub outlet: Outlet,
}

/// Says why weir must not say that it is well: a thread is stuck, or the journal takes nothing, so
/// that no breach of a limit is told.
#[must_use]
pub fn unwell(status: &Status, stuck_after: Duration) -> Option<String> {
    let full = status.full.load();
    let full = full.as_ref().map(|words| format!("the journal takes no batch: {words}"));
    status.pulse.stuck(stuck_after).or(full)
}

/// Tells in a line how weir does.
#[must_use]
pub fn words(status: &Status) -> String {
    let brokers = status.brokers();
    let away = || brokers.iter().filter_map(|one| Some((&one.network, one.fault.as_ref()?)));
    let connected = brokers.len() - away().count();
    let mut words = format!("{connected} of {} brokers connected", brokers.len());
    for (network, fault) in away() {
        words.push_str(&format!("; {network}: {fault}"));
    }
    if let Some(fault) = status.sink_fault.load().as_ref() {
        words.push_str(&format!("; database: {fault}"));
    }
    words.replace(|one: char| one.is_control(), " ")
}

impl Beater {
    /// Beats until weir stops.
    ///
    /// # Errors
    /// None; the signature is that of its neighbours.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let since = self.outlet.clock.now().wall;
        let (mut next, mut said) = (Instant::now(), None);
        loop {
            tokio::select! {
                _ = self.outlet.stop.wait_for(|stop| *stop) => return Ok(()),
                () = sleep_until(next) => {}
            }
            next = Instant::now() + self.every;
            let (status, now) = (&self.outlet.status, self.outlet.clock.now().wall);
            let fault = if let Some(unwell) = unwell(status, self.stuck_after) {
                Some(format!("No heartbeat is sent: {unwell}."))
            } else {
                let words = words(status);
                let sent = tokio::select! {
                    sent = self.heart.beat(since, now, &words) => sent,
                    _ = self.outlet.stop.wait_for(|stop| *stop) => return Ok(()),
                };
                let count = if sent.is_ok() { &status.beats_taken } else { &status.beats_failed };
                count.fetch_add(1, Ordering::Relaxed);
                let host = self.heart.host();
                sent.err().map(|words| format!("A heartbeat is not taken by {host}: {words}."))
            };
            if fault.is_some() {
                next = next.min(Instant::now() + AGAIN);
            }
            if fault.is_some() != said.is_some() {
                match &fault {
                    Some(words) => tracing::warn!("{words}"),
                    None => tracing::info!(host = self.heart.host(), "Heartbeats are taken again."),
                }
                said = fault;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::daemon::clock::Clock;
    use crate::notify::heartbeat::Config;

    /// A listener that counts what it is asked, and takes it or not.
    fn listener(takes: &Arc<AtomicBool>) -> (u16, Arc<AtomicUsize>) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let (count, takes) = (Arc::new(AtomicUsize::new(0)), Arc::clone(takes));
        let asked = Arc::clone(&count);
        std::thread::spawn(move || {
            for mut stream in socket.incoming().flatten() {
                let mut head = [0; 1_024];
                let read = stream.read(&mut head).unwrap_or(0);
                assert!(head[..read].starts_with(b"GET /key "));
                count.fetch_add(1, Ordering::SeqCst);
                let word = if takes.load(Ordering::SeqCst) { "200 OK" } else { "503 Busy" };
                let answer = format!("HTTP/1.1 {word}\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        (port, asked)
    }

    /// A daemon whose pipeline turns for as long as it is let.
    struct Scene {
        status: Arc<Status>,
        turning: Arc<AtomicBool>,
        asked: Arc<AtomicUsize>,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<anyhow::Result<()>>,
    }

    impl Scene {
        fn begin(takes: &Arc<AtomicBool>) -> Self {
            let (port, asked) = listener(takes);
            let text = format!("url = 'http://127.0.0.1:{port}/key'");
            let config: Config = toml::from_str(&text).unwrap();
            let (status, turning) = (Arc::<Status>::default(), Arc::new(AtomicBool::new(true)));
            let (pulse, turns) = (Arc::clone(&status), Arc::clone(&turning));
            std::thread::spawn(move || {
                while turns.load(Ordering::SeqCst) {
                    pulse.pulse.ingest_turns();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let (stop, stopped) = watch::channel(false);
            let beater = Beater {
                heart: config.hearts().unwrap().remove(0),
                every: Duration::from_millis(20),
                stuck_after: Duration::from_millis(300),
                outlet: Outlet {
                    data_folder: std::path::PathBuf::new(),
                    notes: mpsc::channel(1).0,
                    news: watch::channel(0).1,
                    conditions: Arc::default(),
                    stop: stopped,
                    clock: Clock::real(),
                    status: Arc::clone(&status),
                },
            };
            let task = tokio::spawn(beater.run());
            Self { status, turning, asked, stop, task }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        /// Says whether beats come within a second.
        async fn beats(&self) -> bool {
            let before = self.asked();
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if self.asked() > before + 1 {
                    return true;
                }
            }
            false
        }

        async fn end(self) {
            self.turning.store(false, Ordering::SeqCst);
            self.stop.send(true).unwrap();
            self.task.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_stuck_pipeline_stops_the_beat() {
        let scene = Scene::begin(&Arc::new(AtomicBool::new(true)));
        assert!(scene.beats().await);
        scene.turning.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!scene.beats().await);
        let words = unwell(&scene.status, Duration::from_millis(300)).unwrap();
        assert!(words.starts_with("the pipeline has not heard the clock"), "{words}");
        assert!(scene.status.beats_taken.load(Ordering::SeqCst) >= 1);
        assert_eq!(scene.status.beats_failed.load(Ordering::SeqCst), 0);
        scene.end().await;
    }

    #[tokio::test]
    async fn a_stuck_committer_and_a_full_journal_stop_the_beat_until_they_go_on() {
        let scene = Scene::begin(&Arc::new(AtomicBool::new(true)));
        assert!(scene.beats().await);
        scene.status.pulse.commit_begins();
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!scene.beats().await);
        scene.status.pulse.commit_waits();
        tokio::time::sleep(AGAIN).await;
        assert!(scene.beats().await);
        scene.status.full.store(Some(Arc::new("no room".to_owned())));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!scene.beats().await);
        scene.end().await;
    }

    #[tokio::test]
    async fn a_beat_that_is_not_taken_is_counted() {
        let takes = Arc::new(AtomicBool::new(false));
        let scene = Scene::begin(&takes);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scene.status.beats_taken.load(Ordering::SeqCst), 0);
        assert!(scene.status.beats_failed.load(Ordering::SeqCst) >= 1);
        scene.end().await;
    }

    #[test]
    fn what_is_told_names_whoever_is_away() {
        let status = Status::default();
        status.broker("rivers", None);
        status.broker("parks", Some("away\nsince noon".to_owned()));
        status.sink_fault.store(Some(Arc::new("no answer".to_owned())));
        let want = "1 of 2 brokers connected; parks: away since noon; database: no answer";
        assert_eq!(words(&status), want);
    }
}
