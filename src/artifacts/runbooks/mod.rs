//! A runbook for each alert of each SLO: what it means here, what to type first, how to tell causes apart, when to call
//! somebody, and how to see that it is over.
//!
//! A page is read at three in the morning: what to do stands on the first screen, what the numbers are stands last.

mod burn;
mod causes;
pub(super) mod frame;
mod guards;
pub(super) mod numbers;
mod silence;

use super::page::Page;
use super::{Alarm, Artifact, Kit};
use crate::slo::Severity;
use frame::About;

/// All of them.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let subjects = kit.subjects();
    let mut files = Vec::new();
    for subject in &subjects {
        let about = About { kit, subjects: &subjects, subject };
        for alarm in Alarm::ALL {
            // Without P0 alerts nobody is paged at once, and there is nobody whose page could be taken over.
            if alarm == Alarm::Unacknowledged && subject.slo.highest_severity() < Severity::P0 {
                continue;
            }
            files.push(Artifact::new(alarm.runbook(subject), page(&about, alarm)));
        }
    }
    files
}

fn page(about: &About<'_>, alarm: Alarm) -> String {
    let mut page = Page::new(&format!("{}: {}", about.name(), alarm.name()));
    match alarm {
        Alarm::BudgetBurn => burn::burn(&mut page, about),
        Alarm::BudgetLow => burn::low(&mut page, about),
        Alarm::BreakerOpen => guards::breaker(&mut page, about),
        Alarm::Shedding => guards::shedding(&mut page, about),
        Alarm::InstanceDown => silence::down(&mut page, about),
        Alarm::Absent => silence::absent(&mut page, about),
        Alarm::Drift => silence::drift(&mut page, about),
        Alarm::Unacknowledged => silence::unacknowledged(&mut page, about),
    }
    page.finish()
}
