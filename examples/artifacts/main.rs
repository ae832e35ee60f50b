//! Writes everything that a team needs around its services, from their declared SLOs: rules, routes, dashboards, runbooks.
//!
//!     cargo run --example artifacts -- DIR [storefront|messaging]

mod messaging;
#[path = "../storefront/promises.rs"]
mod promises;

use plimsoll::artifacts::Kit;
use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run --example artifacts -- DIR [storefront|messaging]";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (directory, slos) = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [directory] | [directory, "storefront"] => {
            (directory.to_string(), vec![promises::checkout("checkout"), promises::payments()])
        }
        [directory, "messaging"] => (directory.to_string(), messaging::promises()),
        [] => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
        [_, odd, ..] => {
            eprintln!("there is no {odd:?}: write storefront or messaging\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let kit = Kit::new(slos)?;
    let changed = kit.write_to(&directory)?;
    // Beside its files, a kit keeps a list of them.
    let all = kit.files().len() + 1;
    println!("{directory}: {} of {all} files changed; begin with README.md", changed.len());
    Ok(ExitCode::SUCCESS)
}
