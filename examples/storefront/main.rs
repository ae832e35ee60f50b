//! A shop survives an outage of its payments service, with real HTTP on loopback, told live.
//!
//! ```sh
//! cargo run --release --example storefront
//! ```
//!
//! Two equal shops get the same customers at the same time. The one calls its payments service through a guard with a
//! breaker and remembered answers, the other does not; each has a payments service of its own, which break alike, so that
//! the one's guard does not spare the other's. `shop.rs` has the checkout, `world.rs` what is declared.

mod args;
mod load;
mod payments;
mod promises;
mod screen;
mod shop;
mod story;
mod summary;
mod view;
mod world;

use args::Args;
use plimsoll::{Event, EventKind, Timestamp};
use screen::{Screen, Voice};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use story::{Act, Script};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("storefront: {error}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("storefront: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the story; whether everybody counted the same.
async fn run(args: Args) -> Result<bool, axum::BoxError> {
    let script = Script { length: Duration::from_secs(args.seconds) };
    let world = World::build(&args, &script).await?;
    let (tell, events) = unbounded_channel();
    world.plimsoll.subscribe(move |event| _ = tell.send(event.clone()));

    let mut screen = Screen::new(script, args.json);
    screen.lines(&format!("\n{}\n\n", world.introduction(&args)));
    let start = world.plimsoll.clock().now();
    let interrupted = interruption();
    let mut teller = Teller { world: &world, script, start, screen, view: view::View::default(), events, interrupted };

    tokio::spawn(world.load.clone().run(args.rate));
    teller.tell(Some(Act::Over)).await;
    let interrupted = *teller.interrupted.borrow();
    if interrupted {
        teller.say(Voice::Note, "Interrupted: this is how far it came.");
    }
    world.settle().await;
    teller.catch_up();
    teller.screen.close();
    let summary = world.summary(&script, start);
    teller.screen.lines(&format!("\n{summary}\n"));
    let agreed = teller.compare_counts();
    let late = world.load.latest();
    if late > Duration::from_millis(250) {
        let text = format!("  this machine was busy: the load generator was up to {late:?} behind its schedule");
        teller.screen.lines(&text);
    }
    if args.json {
        // Whoever reads it may have gone away.
        _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(&summary)?);
    }
    if args.serve && !interrupted {
        teller.screen.lines(&format!("\n  Going on until Ctrl-C: {}/slo\n", world.url));
        tokio::spawn(world.load.clone().run(args.rate));
        teller.tell(None).await;
        teller.screen.close();
    }
    Ok(agreed)
}

/// Becomes true at Ctrl-C. A second one ends it all: whoever asks twice will not wait for the last answers.
fn interruption() -> watch::Receiver<bool> {
    let (tell, interrupted) = watch::channel(false);
    tokio::spawn(async move {
        _ = tokio::signal::ctrl_c().await;
        _ = tell.send(true);
        // Some that pass a signal on send it twice.
        tokio::time::sleep(Duration::from_millis(500)).await;
        _ = tokio::signal::ctrl_c().await;
        std::process::exit(130);
    });
    interrupted
}

/// Who tells the story: switches the scenes, and says what happens.
struct Teller<'a> {
    world: &'a World,
    script: Script,
    start: Timestamp,
    screen: Screen,
    view: view::View,
    events: UnboundedReceiver<Event>,
    interrupted: watch::Receiver<bool>,
}

impl Teller<'_> {
    /// Goes on until an act begins, or for ever, unless it is interrupted.
    async fn tell(&mut self, until: Option<Act>) {
        let mut interrupted = self.interrupted.clone();
        let mut frames = tokio::time::interval(Duration::from_millis(200));
        let mut act = until.is_none().then_some(Act::Over);
        loop {
            let now = self.script.act(self.at());
            if act != Some(now) {
                act = Some(now);
                self.world.set_broken(now == Act::Broken);
                self.say(Voice::Story, now.opening());
                if act == until {
                    return;
                }
            }
            let next = self.script.next(self.at());
            tokio::select! {
                _ = frames.tick() => {
                    self.world.plimsoll.tick();
                    let snapshot = self.view.look(self.world, self.at(), now);
                    self.screen.show(snapshot);
                }
                Some(event) = self.events.recv() => self.report(&event),
                _ = interrupted.wait_for(|interrupted| *interrupted) => return,
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Says whether customers, guards and payments counted the same.
    fn compare_counts(&mut self) -> bool {
        let counts = self.world.counts();
        let (agreed, disagreed): (Vec<_>, Vec<_>) = counts.into_iter().partition(|count| count.agrees());
        self.screen.lines("  counted alike:");
        for parties in summary::agreement(&agreed) {
            let lines = screen::wrap(&parties, 72).join("\n      ");
            self.screen.lines(&format!("    {lines}"));
        }
        if disagreed.is_empty() {
            return true;
        }
        let disagreed: Vec<String> = disagreed.iter().map(|count| format!("    {count}")).collect();
        let disagreed = disagreed.join("\n");
        if self.world.had_visitors() {
            self.screen.lines(&format!("  counted differently, for somebody else called the shop too:\n{disagreed}"));
            return true;
        }
        eprintln!("storefront: client, guard and upstream did not count the same:\n{disagreed}");
        false
    }

    /// Reports what has happened so far.
    fn catch_up(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.report(&event);
        }
    }

    fn report(&mut self, event: &Event) {
        let at = event.at.since(self.start);
        match &event.kind {
            EventKind::Breaker { from, to, why, .. } => {
                let means = match (*from, *to) {
                    ("closed", "open") => ". Remembered answers are served",
                    (_, "closed") => ": all calls pass again",
                    _ => "",
                };
                let text = format!("breaker {from} → {to}: {why}{means}").replace("f_o", "f-o");
                self.screen.say(at, Voice::Breaker, &text);
            }
            // The others are on /slo, and in the summary as JSON.
            EventKind::Alert { severity: "P0", state: "firing", .. } => {
                self.screen.say(at, Voice::Firing, &event.kind.to_string());
            }
            EventKind::Alert { severity: "P0", state: "resolved", .. } => {
                self.screen.say(at, Voice::Resolved, &event.kind.to_string());
            }
            EventKind::Alert { .. } => {}
            kind => self.screen.say(at, Voice::Note, &kind.to_string()),
        }
    }

    fn say(&mut self, voice: Voice, text: &str) {
        self.screen.say(self.at(), voice, text);
    }

    fn at(&self) -> Duration {
        self.world.plimsoll.clock().now().since(self.start)
    }
}
