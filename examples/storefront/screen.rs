//! The story on the terminal: what happened, line by line, and below it, where there is a terminal, how things stand.

use crate::story::{Act, Script};
use std::io::{IsTerminal, Write};
use std::time::Duration;

const WIDTH: usize = 79;
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Story,
    Breaker,
    Firing,
    Resolved,
    Note,
}

/// How one shop stands.
#[derive(Clone, Debug)]
pub struct ShopState {
    pub name: &'static str,
    pub rate: f64,
    /// Over the last five seconds, 0..=1; none without traffic.
    pub good: Option<f64>,
    pub p99: Option<Duration>,
    pub burn: Option<f64>,
    pub bad_so_far: u64,
    pub budget: f64,
}

/// How everything stands.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub at: Duration,
    pub act: Act,
    pub shops: [ShopState; 2],
    /// Calls to payments that were let through, and that were refused, a second.
    pub called: f64,
    pub cached: f64,
    pub breaker: &'static str,
    pub explain: String,
    pub alerts: Vec<String>,
}

/// Where the story is told.
pub struct Screen {
    out: Box<dyn Write + Send>,
    /// Whether there is a terminal that may be painted on.
    live: bool,
    script: Script,
    /// Lines of the panel that are on the terminal now.
    panel: usize,
    last: Option<Snapshot>,
    next_line: Duration,
}

impl Screen {
    /// Tells it on standard output, or, if that is wanted for something else, on standard error.
    pub fn new(script: Script, elsewhere: bool) -> Self {
        let may_paint = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let (out, terminal): (Box<dyn Write + Send>, bool) = if elsewhere {
            (Box::new(std::io::stderr()), false)
        } else {
            (Box::new(std::io::stdout()), std::io::stdout().is_terminal())
        };
        Self { out, live: terminal && may_paint, script, panel: 0, last: None, next_line: Duration::ZERO }
    }

    /// A line of the story.
    pub fn say(&mut self, at: Duration, voice: Voice, text: &str) {
        let (mark, colour) = match voice {
            Voice::Story => ("──", BOLD),
            Voice::Breaker => ("◆ ", YELLOW),
            Voice::Firing => ("▲ ", RED),
            Voice::Resolved => ("▽ ", GREEN),
            Voice::Note => ("  ", ""),
        };
        let mut text = wrap(text, WIDTH - 13).into_iter();
        let first = text.next().unwrap_or_default();
        let mut lines = vec![format!("{} {mark} {}", self.paint(DIM, &clock(at)), self.paint(colour, &first))];
        lines.extend(text.map(|line| format!("{:11}{}", "", self.paint(colour, &line))));
        self.above(&lines);
    }

    /// Lines that belong to no moment.
    pub fn lines(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        self.above(&lines);
    }

    /// Shows how things stand: as a panel, or now and then as a line.
    pub fn show(&mut self, now: Snapshot) {
        if self.live {
            let panel = self.panel_of(&now);
            self.repaint(&[], &panel);
        } else if now.at >= self.next_line {
            if self.next_line.is_zero() {
                self.write("           with the guard            without it                breaker\n");
            }
            self.next_line = now.at + self.script.length / 18;
            self.write(&format!("{}    {}\n", clock(now.at), line_of(&now)));
        }
        self.last = Some(now);
    }

    /// Takes the panel away.
    pub fn close(&mut self) {
        self.last = None;
        if self.live {
            self.repaint(&[], &[]);
        }
    }

    /// Prints lines above the panel.
    fn above(&mut self, lines: &[String]) {
        let panel = match &self.last {
            Some(last) if self.live => self.panel_of(last),
            _ => Vec::new(),
        };
        self.repaint(lines, &panel);
    }

    fn repaint(&mut self, lines: &[String], panel: &[String]) {
        let mut text = String::new();
        if self.panel > 0 {
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.panel));
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        if !panel.is_empty() {
            // A line that is too long is cut off rather than wrapped, or the next repaint would miss the top.
            text.push_str("\x1b[?25l\x1b[?7l");
            for line in panel {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str("\x1b[?7h\x1b[?25h");
        }
        self.panel = panel.len();
        self.write(&text);
    }

    /// Whoever reads it may go away: the story goes on.
    fn write(&mut self, text: &str) {
        _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.live && !colour.is_empty() { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn panel_of(&self, now: &Snapshot) -> Vec<String> {
        let mut lines = vec![self.paint(DIM, &"─".repeat(WIDTH)), self.progress(now)];
        lines.push(self.paint(DIM, "                 req/s    good    p99   burn  bad so far  error budget"));
        lines.extend(now.shops.iter().map(|shop| self.shop(shop)));
        let colour = match now.breaker {
            "closed" => GREEN,
            "open" => RED,
            _ => YELLOW,
        };
        let breaker = self.paint(colour, &format!("{:<9}", now.breaker.replace('_', "-")));
        lines.push(format!(
            " payments breaker {breaker} {:>4.0} calls/s pass, {:>4.0} answers/s from the cache",
            now.called, now.cached
        ));
        let explain = wrap(&now.explain, WIDTH - 4);
        lines.extend((0..3).map(|i| self.paint(DIM, &format!("   {}", explain.get(i).map_or("", String::as_str)))));
        let alerts = match &now.alerts[..] {
            [] => self.paint(GREEN, "no alert"),
            some => self.paint(RED, &some.join(" · ")),
        };
        lines.push(format!(" alerts  {alerts}"));
        lines
    }

    /// The story's length as a bar, coloured by act.
    fn progress(&self, now: &Snapshot) -> String {
        let cells = 36;
        let total = self.script.length;
        let mut bar = String::new();
        for cell in 0..cells {
            let at = total * cell / cells;
            let colour = match self.script.act(at) {
                Act::Healthy => GREEN,
                Act::Broken => RED,
                _ => CYAN,
            };
            let gone = at < now.at;
            bar.push_str(&self.paint(if gone { colour } else { DIM }, if gone { "█" } else { "░" }));
        }
        let title = self.paint(BOLD, now.act.title());
        format!(" {bar} {} of {}  {title}", minutes(now.at), minutes(total))
    }

    fn shop(&self, shop: &ShopState) -> String {
        let good = shop.good.map_or("   –   ".into(), |good| format!("{:>5.1} %", good * 100.0));
        let good = self.paint(shop.good.map_or("", |good| if good > 0.99 { GREEN } else { RED }), &good);
        let p99 = shop.p99.map_or("–".into(), |p99| match p99.as_millis() {
            0 => "<1 ms".into(),
            millis @ 1..1_000 => format!("{millis} ms"),
            _ => format!("{:.1} s", p99.as_secs_f64()),
        });
        let burn = shop.burn.map_or("–".into(), |burn| format!("{burn:.1}×"));
        let whole = shop.budget.clamp(0.0, 1.0);
        let full = (whole * 8.0).round() as usize;
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(8 - full));
        let text = left(shop.budget);
        let budget = self.paint(if shop.budget > 0.0 { GREEN } else { RED }, &format!("{bar} {text}"));
        let bad = thousands(shop.bad_so_far);
        format!(" {:<15} {:>5.0}  {good} {p99:>6} {burn:>6}  {bad:>10}  {budget}", shop.name, shop.rate)
    }
}

fn line_of(now: &Snapshot) -> String {
    let shop = |shop: &ShopState| {
        let good = shop.good.map_or("–".into(), |good| format!("{:.1} % good", good * 100.0));
        format!("{good:<13}{:<13}", left(shop.budget))
    };
    format!("{}{}{}", shop(&now.shops[0]), shop(&now.shops[1]), now.breaker.replace('_', "-"))
}

/// What is left of a budget: `87 %`, or how often it was spent.
fn left(budget: f64) -> String {
    if budget >= 0.0 { format!("{:.0} % left", budget * 100.0) } else { format!("spent {:.0} ×", 1.0 - budget) }
}

/// `1:05.3`: minutes, seconds, tenths.
fn clock(at: Duration) -> String {
    let tenths = at.as_millis() / 100;
    format!("{:>2}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn minutes(at: Duration) -> String {
    let seconds = at.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// `12,345`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Breaks a text into lines of at most `width` characters, between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last].push_str(&format!("{space}{word}"));
        }
    }
    lines
}
