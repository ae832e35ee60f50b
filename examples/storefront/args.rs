//! What may be typed behind `--example storefront --`.

use lexopt::prelude::*;
use std::ops::RangeInclusive;

pub const HELP: &str = "\
A shop survives an outage of its payments service, told live.

Usage: cargo run --release --example storefront -- [OPTIONS]

Options:
  --seconds N   length of the story, 20 to 3600 [default: 90]
  --rate N      checkouts a second that each shop is asked for, 20 to 2000 [default: 200]
  --port N      port of the shop on 127.0.0.1 [default: a free one, printed]
  --serve       go on after the story, until Ctrl-C
  --json        print only the summary on standard output, as one JSON object; the story goes to standard error
  --help        print this
";

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    pub seconds: u64,
    pub rate: u64,
    /// 0 takes a free one.
    pub port: u16,
    pub serve: bool,
    pub json: bool,
}

/// Reads the command line; `None` if only help was asked for.
pub fn parse() -> Result<Option<Args>, lexopt::Error> {
    let mut args = Args { seconds: 90, rate: 200, port: 0, serve: false, json: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seconds") => args.seconds = number(&mut parser, "--seconds", 20..=3_600)?,
            Long("rate") => args.rate = number(&mut parser, "--rate", 20..=2_000)?,
            Long("port") => {
                let port = number(&mut parser, "--port", 1..=u64::from(u16::MAX))?;
                args.port = u16::try_from(port).unwrap_or_default();
            }
            Long("serve") => args.serve = true,
            Long("json") => args.json = true,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(Some(args))
}

fn number(parser: &mut lexopt::Parser, option: &str, range: RangeInclusive<u64>) -> Result<u64, lexopt::Error> {
    let given = parser.value()?.string()?;
    let (least, most) = (range.start(), range.end());
    given
        .parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("{option} is {given:?}: write a whole number from {least} to {most}").into())
}
