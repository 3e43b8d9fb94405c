//! Debian's Alertmanager, on a port of its own and with a folder that goes with it.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::peer::{Process, free_port, get, until};

#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    folder: TempDir,
    port: u16,
    receiver: u16,
}

impl Alertmanager {
    /// Starts one that tells a webhook at this port, and that by itself holds an alert for over
    /// after a second.
    pub fn start(receiver: u16) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let process = Self::spawn(&folder, port, receiver);
        let started = Self { process, folder, port, receiver };
        started.wait();
        started
    }

    fn spawn(folder: &TempDir, port: u16, receiver: u16) -> Process {
        let config = folder.path().join("alertmanager.yml");
        let text = format!(
            "global:\n  resolve_timeout: 1s\nroute:\n  receiver: hook\n  group_by: ['...']\n  \
             group_wait: 10ms\n  group_interval: 100ms\n  repeat_interval: 1h\nreceivers:\n\
             - name: hook\n  webhook_configs:\n  - url: http://127.0.0.1:{receiver}/told\n"
        );
        fs::write(&config, text).unwrap();
        Process::start(
            Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", folder.path().join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--cluster.listen-address=")
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    }

    fn wait(&self) {
        until("Alertmanager", || {
            crate::peer::listens(self.port) && get(self.port, "/-/ready").0 == 200
        });
    }

    /// Stops it and starts one that knows of nothing at the same place.
    pub fn forget(&mut self) {
        self.process.terminate();
        fs::remove_dir_all(self.folder.path().join("data")).ok();
        self.process = Self::spawn(&self.folder, self.port, self.receiver);
        self.wait();
    }

    /// Gives the alerts that it holds for firing.
    pub fn alerts(&self) -> Vec<Value> {
        let (status, body) = get(self.port, "/api/v2/alerts");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn config(&self, name: &str) -> String {
        let port = self.port;
        format!("[[channel]]\nname='{name}'\nkind='alertmanager'\nurl='http://127.0.0.1:{port}'\n")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
