//! A real Alertmanager on loopback with a kit's own configuration, and somebody whom it tells.

use crate::artifacts::Folder;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use plimsoll::artifacts::Kit;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The directory that the kit reads secrets from.
const SECRETS: &str = "/etc/alertmanager/secrets";

/// A message as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// `pager <key> <action>`, `chat <team>` or `ticket <token> <status>`.
    pub(crate) to: String,
    pub(crate) body: Value,
}

impl Message {
    /// The attachment of a message in the chat.
    pub(crate) fn attachment(&self, field: &str) -> &str {
        self.body["attachments"][0][field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// What it says, in one line.
    pub(crate) fn title(&self) -> &str {
        if self.to.starts_with("chat") {
            self.attachment("title")
        } else {
            self.body["payload"]["summary"].as_str().unwrap_or_default()
        }
    }
}

/// Pager, chat and ticket system in one: whoever is told of alerts.
#[derive(Clone, Debug)]
pub(crate) struct People {
    url: String,
    told: Arc<Mutex<Vec<Message>>>,
}

impl People {
    pub(crate) async fn at_work() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let people = Self { url, told: Arc::default() };
        let app = Router::new().fallback(post(hear)).with_state(people.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        people
    }

    /// Where the ticket system listens.
    pub(crate) fn tickets(&self) -> String {
        format!("{}/ticket", self.url)
    }

    /// Everything so far, in order.
    pub(crate) fn told(&self) -> Vec<Message> {
        self.told.lock().unwrap().clone()
    }

    /// To whom everything went so far, in order.
    pub(crate) fn recipients(&self) -> Vec<String> {
        self.told().into_iter().map(|message| message.to).collect()
    }

    /// The messages to one recipient.
    pub(crate) fn to(&self, recipient: &str) -> Vec<Message> {
        self.told().into_iter().filter(|message| message.to == recipient).collect()
    }

    /// Waits until something holds of what was told: messages come when another process sends them.
    pub(crate) async fn until(&self, what: &str, seconds: u64, holds: impl Fn(&[Message]) -> bool) {
        for _ in 0..seconds * 20 {
            if holds(&self.told()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await; // until another process sends
        }
        let told: Vec<String> =
            self.told().iter().map(|message| format!("{}: {}", message.to, message.title())).collect();
        panic!("not within {seconds} s: {what}; told was\n{}", told.join("\n"));
    }
}

async fn hear(State(people): State<People>, uri: Uri, headers: HeaderMap, body: String) -> &'static str {
    let body: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
    let to = match uri.path().trim_start_matches('/').split_once('/') {
        Some(("chat", team)) => format!("chat {team}"),
        Some(("pager", _)) => format!("pager {} {}", text(&body["routing_key"]), text(&body["event_action"])),
        _ => format!("ticket {} {}", token.trim_start_matches("Bearer "), text(&body["status"])),
    };
    people.told.lock().unwrap().push(Message { to, body });
    "ok"
}

/// Debian's `prometheus-alertmanager`. When it is dropped the process is ended, and its files are removed.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    child: Child,
    folder: Folder,
    port: u16,
    client: reqwest::Client,
}

impl Alertmanager {
    /// Starts it with the kit's configuration, changed by `patch` where a test cannot wait as long as people can, and with
    /// secrets by which everything goes to `people`: keys and tokens are called after their team and file.
    pub(crate) async fn telling(people: &People, name: &str, kit: &Kit, patch: impl Fn(&mut Value)) -> Self {
        let folder = Folder::with(name, kit);
        configure(&folder, people, patch);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        // Free now; in the moment until Alertmanager binds it somebody else might take it, and then the test fails.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", folder.path().join("alertmanager/alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.external-url=http://alerts.example")
            .arg("--web.route-prefix=/")
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("prometheus-alertmanager does not run ({error}): tests/run.sh installs it, with Debian's package")
        });
        let mut started = Self { child, folder, port, client: reqwest::Client::new() };
        started.until_ready().await;
        started
    }

    async fn until_ready(&mut self) {
        // Another process starts at its own pace: there is nothing to wait for but time.
        for _ in 0..200 {
            let answer = self.client.get(self.url("/-/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "Alertmanager ended: {ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await; // until another process is ready
        }
        panic!("Alertmanager is not ready after 20 s\n{}", self.log());
    }

    /// Takes the kit's configuration anew, changed otherwise.
    pub(crate) async fn reload(&self, people: &People, kit: &Kit, patch: impl Fn(&mut Value)) {
        kit.write_to(self.folder.path()).unwrap();
        configure(&self.folder, people, patch);
        self.post("/-/reload", String::new()).await;
    }

    /// Where Prometheus sends alerts to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Raises alerts, as Prometheus does.
    pub(crate) async fn raise(&self, alerts: &[Value]) {
        self.post("/api/v2/alerts", Value::from(alerts).to_string()).await;
    }

    /// Silences what these matchers match, as `amtool` does it.
    pub(crate) fn silence(&self, matchers: &[&str]) {
        let url = format!("--alertmanager.url={}", self.url(""));
        let args = ["silence", "add", &url, "--author=test", "--comment=test", "--duration=10m"];
        let output = Command::new("amtool").args(args).args(matchers).output().unwrap();
        assert!(output.status.success(), "{matchers:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The alerts that it has, each with its status.
    pub(crate) async fn alerts(&self) -> Vec<Value> {
        let text = self.client.get(self.url("/api/v2/alerts")).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn post(&self, path: &str, body: String) {
        let request = self.client.post(self.url(path)).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status} {}\n{}", answer.text().await.unwrap(), self.log());
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // By its handle, so by its own process id.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Changes what was written: the pager's address, where secrets are, and what the test asks for.
fn configure(folder: &Folder, people: &People, patch: impl Fn(&mut Value)) {
    let path = folder.path().join("alertmanager/alertmanager.yml");
    let secrets = folder.path().join("secrets");
    let text = fs::read_to_string(&path).unwrap().replace(SECRETS, secrets.to_str().unwrap());
    let mut config: Value = serde_saphyr::from_str(&text).unwrap();
    config["global"] = serde_json::json!({ "pagerduty_url": format!("{}/pager/v2/enqueue", people.url) });
    patch(&mut config);
    fs::write(&path, serde_saphyr::to_string(&config).unwrap()).unwrap();
    for receiver in config["receivers"].as_array().unwrap() {
        for file in secret_files(receiver) {
            let team = file.strip_prefix(&secrets).unwrap().parent().unwrap().to_str().unwrap().to_owned();
            let name = file.file_name().unwrap().to_str().unwrap();
            let secret =
                if name == "chat-url" { format!("{}/chat/{team}", people.url) } else { format!("{team}/{name}") };
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            // As editors leave it.
            fs::write(&file, secret + "\n").unwrap();
        }
    }
}

fn secret_files(value: &Value) -> Vec<std::path::PathBuf> {
    match value {
        Value::Object(fields) => {
            let files = fields.iter().flat_map(|(key, value)| match value {
                Value::String(file) if key.ends_with("_file") => vec![file.into()],
                value => secret_files(value),
            });
            files.collect()
        }
        Value::Array(items) => items.iter().flat_map(secret_files).collect(),
        _ => Vec::new(),
    }
}

/// Sets a field wherever it stands.
pub(crate) fn set_all(config: &mut Value, key: &str, to: &str) {
    match config {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key {
                    *value = Value::from(to);
                } else {
                    set_all(value, key, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set_all(item, key, to)),
        _ => {}
    }
}
