//! Builds and runs the examples.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// Builds all examples, once, as `cargo run --example …` does in the workspace's root; where `name` is.
fn executable(name: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--examples", "--message-format=json"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "the examples do not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let messages = messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let artifact = |message: serde_json::Value| {
            Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
        };
        messages.filter_map(artifact).collect()
    });
    built.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no example {name}")).1.clone()
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    /// What had not been read by then.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example to its end.
pub(crate) fn run(name: &str, args: &[&str]) -> End {
    let output = Command::new(executable(name)).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    End { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A storefront that runs; it is ended when this is dropped.
pub(crate) struct Story {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    read: String,
    json: bool,
}

impl Story {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(executable("storefront"));
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let pipe = BufReader::new(child.stderr.take().unwrap());
        let stderr = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            for line in pipe.lines().map_while(Result::ok) {
                *into.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self { child, stdout, stderr, reader: Some(reader), read: String::new(), json: args.contains(&"--json") }
    }

    /// The URL that it prints: on standard output or, with `--json`, on standard error.
    pub(crate) fn url(&mut self) -> String {
        let found = |text: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix("status"))?;
            Some(line.trim().strip_suffix("/slo")?.to_owned())
        };
        for _ in 0..1_000 {
            if !self.json {
                let line = self.line();
                self.read += &line;
            }
            let text = if self.json { self.stderr.lock().unwrap().clone() } else { self.read.clone() };
            if let Some(url) = found(&text) {
                return url;
            }
            std::thread::sleep(Duration::from_millis(10)); // it is starting
        }
        panic!("no URL")
    }

    /// The next line on standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> End {
        let mut stdout = std::mem::take(&mut self.read);
        self.stdout.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let stderr = self.stderr.lock().unwrap().clone();
        End { code, stdout, stderr }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The body of a page, which must be a 200.
pub(crate) fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{url}: {head}");
    body.to_owned()
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
