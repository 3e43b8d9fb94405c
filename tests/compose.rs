//! docker-compose.yml and what it mounts: no engine runs here, so all that can be known without one
//! is held, and the broker's file is tried with Debian's mosquitto.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test asks its own clock")]

mod peer;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Yaml {
    YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap().remove(0)
}

/// Gives a list of texts; of none, none.
fn texts(list: &Yaml) -> Vec<String> {
    let texts = list.as_vec().into_iter().flatten();
    texts.map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_service_is_watched_restarted_and_shown_to_this_machine_alone() {
    let compose = compose();
    let services = &compose["services"];
    for name in ["mosquitto", "influxdb", "weir"] {
        let service = &services[name];
        assert!(texts(&service["healthcheck"]["test"]).len() >= 2, "{name} has no health check");
        assert_eq!(service["restart"].as_str(), Some("unless-stopped"), "{name}");
        let ports = texts(&service["ports"]);
        assert!(!ports.is_empty(), "{name} is shown nowhere");
        assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{name}: {ports:?}");
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(root().join(source).exists(), "{name} mounts {source}, which is not there");
            } else {
                let known = compose["volumes"].as_hash().unwrap();
                assert!(known.contains_key(&Yaml::String(source.to_owned())), "{name}: {source}");
            }
        }
        for secret in texts(&service["secrets"]) {
            let file = compose["secrets"][&*secret]["file"].as_str().unwrap();
            let name = Path::new(file).file_name().unwrap().to_str().unwrap();
            assert!(read("README.md").contains(name), "README.md does not tell how to make {file}");
            assert!(file.starts_with("./config/docker/secrets/"), "{file}");
        }
    }
    assert!(read(".gitignore").contains("/config/docker/secrets"));
    for needed in ["mosquitto", "influxdb"] {
        let condition = services["weir"]["depends_on"][needed]["condition"].as_str();
        assert_eq!(condition, Some("service_healthy"));
    }
    assert!(texts(&services["mosquitto"]["volumes"]).iter().any(|volume| volume.contains("/data")));
}

#[test]
fn weir_in_its_container_is_sound_and_knows_the_others() {
    let (compose, folder) = (compose(), TempDir::new().unwrap());
    let services = &compose["services"];
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = read("config/docker/weir.toml");
    for (host, port) in [("mosquitto", 1883), ("influxdb", 8086)] {
        assert!(text.contains(&format!("://{host}:{port}\"")), "{host}");
        let shown = format!("127.0.0.1:{port}:{port}");
        assert!(texts(&services[host]["ports"]).contains(&shown), "{host}");
    }
    let parsed: toml::Table = toml::from_str(&text).unwrap();
    let given = &services["influxdb"]["environment"];
    for (key, variable) in [("org", "ORG"), ("bucket", "BUCKET")] {
        let variable = format!("DOCKER_INFLUXDB_INIT_{variable}");
        assert_eq!(parsed["influx"][key].as_str(), given[&*variable].as_str(), "{key}");
    }
    let token = given["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"].as_str();
    assert_eq!(parsed["influx"]["token_file"].as_str(), token);
    for secret in texts(&services["weir"]["secrets"]) {
        assert!(text.contains(&format!("\"/run/secrets/{secret}\"")), "{secret} is not used");
        fs::write(folder.path().join(&secret), "made for a test\n").unwrap();
    }
    let mounts = texts(&services["weir"]["volumes"]);
    for place in ["/etc/weir/weir.toml", "/etc/weir/seeds", "/var/lib/weir"] {
        assert!(mounts.iter().any(|mount| mount.contains(&format!(":{place}"))), "{place}");
    }
    let text = text
        .replace("/run/secrets/", &format!("{}/", folder.path().display()))
        .replace("/etc/weir/seeds", &root().join("seeds").display().to_string())
        .replace("/var/lib/weir", &path("data"));
    fs::write(folder.path().join("weir.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["check", "--config", &path("weir.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_image_is_built_of_what_is_there_and_runs_as_nobody_special() {
    let text = read("Dockerfile");
    for source in ["Cargo.toml", "Cargo.lock", "benches", "src"] {
        assert!(text.contains(source) && root().join(source).exists(), "{source}");
        assert!(read(".dockerignore").contains(&format!("!{source}")), "{source}");
    }
    let version: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let version = version["package"]["rust-version"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("FROM rust:{version}")), "another Rust than {version}");
    let user = text.lines().position(|line| line == "USER weir").unwrap();
    let begins = text.lines().position(|line| line.starts_with("ENTRYPOINT")).unwrap();
    assert!(user < begins);
}

#[test]
fn compose_itself_finds_no_fault() {
    let there = Command::new("docker").args(["compose", "version"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        // Aloud: past what a test's output is kept for.
        let words = "SKIPPED: docker compose is not here, it has not read docker-compose.yml";
        writeln!(std::io::stderr(), "{words}").unwrap();
        return;
    }
    let output = Command::new("docker")
        .args(["compose", "config", "-q"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_broker_keeps_all_that_comes_for_an_absent_client_also_over_its_own_restart() {
    let (folder, port) = (TempDir::new().unwrap(), peer::free_port());
    let path = folder.path().display();
    let text = read("config/mosquitto.conf")
        .replace("listener 1883\n", &format!("listener {port} 127.0.0.1\nuser root\n"))
        .replace("/mosquitto/data/", &format!("{path}/"));
    assert!(text.contains(&format!("{port}")) && text.contains(&format!("location {path}/")));
    let file = folder.path().join("mosquitto.conf");
    fs::write(&file, text).unwrap();
    let start = || {
        let program = if Path::new("/usr/sbin/mosquitto").exists() {
            "/usr/sbin/mosquitto"
        } else {
            "mosquitto"
        };
        let process = peer::Process::start(
            Command::new(program).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()),
        );
        peer::until("mosquitto", || peer::listens(port));
        process
    };
    let mut broker = start();
    let number = port.to_string();
    let session = ["-p", &number, "-q", "1", "-t", "water/#", "-i", "weir", "-c", "-W", "20"];
    let subscribe = |count: &str| {
        let counted = ["-C", count];
        Command::new("mosquitto_sub").args(session).args(counted).output().unwrap()
    };
    // The session is made, and left.
    let made = Command::new("mosquitto_sub").args(session).arg("-E").status().unwrap();
    assert!(made.success());
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-p", &number, "-q", "1", "-t", "water/a/data", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = publisher.stdin.take().unwrap();
    for index in 0..3_000 {
        writeln!(lines, "{index}").unwrap();
    }
    drop(lines);
    assert!(publisher.wait().unwrap().success());
    broker.terminate();
    broker = start();
    let got = subscribe("3000").stdout;
    let got: Vec<usize> =
        String::from_utf8(got).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(got, (0..3_000).collect::<Vec<_>>());
    broker.terminate();
}
