//! A real Prometheus on loopback, for as long as a test lasts.

use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Debian's `prometheus`, scraping one target. When it is dropped the process is ended, and its data are removed.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    folder: PathBuf,
    url: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts it and waits until it answers. It scrapes `target` every second.
    pub(crate) async fn scraping(target: SocketAddr) -> Self {
        let folder = std::env::temp_dir().join(format!("plimsoll-prometheus-{}", std::process::id()));
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             scrape_configs:\n- {{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        Self::configured(folder, &config, &[]).await
    }

    /// Starts it in a folder of its own, which may hold `data` from before, and waits until it answers.
    pub(crate) async fn configured(folder: PathBuf, config: &str, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let config = folder.join("prometheus.yml");
        Self::started(folder, &config, arguments).await
    }

    /// The same with a configuration that is there already.
    pub(crate) async fn started(folder: PathBuf, config: &Path, arguments: &[&str]) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        // Free now; in the moment until Prometheus binds it somebody else might take it, and then the test fails.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            // However long ago: what is back-filled is kept.
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("prometheus does not run ({error}): tests/run.sh installs it, with Debian's package prometheus")
        });
        let mut started =
            Self { child, folder, url: format!("http://127.0.0.1:{port}"), client: reqwest::Client::new() };
        started.until_ready().await;
        started
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The directory that its data lie in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it and starts it anew over the same data.
    pub(crate) async fn restarted(mut self) -> Self {
        let folder = std::mem::take(&mut self.folder);
        drop(self);
        let config = folder.join("prometheus.yml");
        Self::started(folder, &config, &[]).await
    }

    async fn until_ready(&mut self) {
        // Another process starts at its own pace: there is nothing to wait for but time.
        for _ in 0..200 {
            let answer = self.client.get(format!("{}/-/ready", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "prometheus ended: {ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await; // until another process is ready
        }
        panic!("prometheus is not ready after 20 s\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What an expression gives at a time (seconds since 1970): an array of series.
    pub(crate) async fn series(&self, expression: &str, at: f64) -> Vec<Value> {
        let url = format!("{}/api/v1/query?time={at:.3}&query={}", self.url, encoded(expression));
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {text}");
        match answer["data"]["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expression}: {other}"),
        }
    }

    /// The values that an expression gives at a time.
    pub(crate) async fn values(&self, expression: &str, at: f64) -> Vec<f64> {
        self.series(expression, at).await.iter().map(|series| number(&series["value"][1])).collect()
    }

    /// The one value that an expression gives at a time.
    pub(crate) async fn value(&self, expression: &str, at: f64) -> f64 {
        let values = self.values(expression, at).await;
        assert_eq!(values.len(), 1, "{expression} at {at}: {values:?}");
        values[0]
    }

    /// When a series was scraped in the `seconds` before `until`, and what it was: in order.
    pub(crate) async fn samples(&self, series: &str, seconds: u64, until: f64) -> Vec<(f64, f64)> {
        let found = self.series(&format!("{series}[{seconds}s]"), until).await;
        assert!(found.len() <= 1, "{series}: {found:?}");
        let samples = found.first().map(|series| series["values"].as_array().unwrap().as_slice());
        samples.unwrap_or_default().iter().map(|pair| (pair[0].as_f64().unwrap(), number(&pair[1]))).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // By its handle, so by its own process id.
        _ = self.child.kill();
        _ = self.child.wait();
        if !self.folder.as_os_str().is_empty() {
            _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn number(text: &Value) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
