//! Who is told: the owners of SLOs, and those who take the rest.

use crate::artifacts::text::slug_unlike;
use crate::artifacts::{Kit, Subject};
use crate::slo::Severity;

/// Those who answer for some SLOs: receivers are called after them, and their secrets lie in a directory of that name.
#[derive(Clone, Debug)]
pub(super) struct Team<'a> {
    /// As in declarations; none for those who take what nobody owns.
    pub(super) owner: Option<&'a str>,
    /// Lower-case letters, digits and dashes, unlike any other team's.
    pub(super) slug: String,
    pub(super) subjects: Vec<Subject<'a>>,
}

/// How a team is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    PagerAndChat,
    SecondLine,
    ChatAndTicket,
    Chat,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::PagerAndChat, Self::SecondLine, Self::ChatAndTicket, Self::Chat];

    /// How a team is told of what is so urgent.
    pub(super) const fn of(severity: Severity) -> Self {
        match severity {
            Severity::P0 => Self::PagerAndChat,
            Severity::P1 => Self::ChatAndTicket,
            Severity::P2 => Self::Chat,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::PagerAndChat => "pager-and-chat",
            Self::SecondLine => "second-line",
            Self::ChatAndTicket => "chat-and-ticket",
            Self::Chat => "chat",
        }
    }
}

impl<'a> Team<'a> {
    /// The name of those who take what nobody owns; no owner has this slug.
    pub(super) const REST: &'static str = "on-call";

    /// The owners in the order of declaration, then those who take the rest.
    pub(super) fn all(kit: &'a Kit) -> Vec<Self> {
        let mut taken = vec![Self::REST.to_owned()];
        let mut teams: Vec<Self> = Vec::new();
        let mut rest = Self { owner: None, slug: Self::REST.to_owned(), subjects: Vec::new() };
        for subject in kit.subjects() {
            let Some(owner) = subject.slo.owner_name() else {
                rest.subjects.push(subject);
                continue;
            };
            match teams.iter_mut().find(|team| team.owner == Some(owner)) {
                Some(team) => team.subjects.push(subject),
                None => {
                    let slug = slug_unlike(owner, &mut taken);
                    teams.push(Self { owner: Some(owner), slug, subjects: vec![subject] });
                }
            }
        }
        teams.push(rest);
        teams
    }

    /// The receiver's name: no character that any tool would take for something else.
    pub(super) fn receiver(&self, way: Way) -> String {
        format!("{}-{}", self.slug, way.name())
    }

    pub(super) fn secret(&self, file: &str) -> String {
        format!("{}/{}/{file}", super::SECRETS, self.slug)
    }

    /// Who they are, and what they answer for.
    pub(super) fn in_words(&self) -> String {
        let names: Vec<&str> = self.subjects.iter().map(|subject| subject.slo.name()).collect();
        match self.owner {
            Some(owner) => format!("{owner} ({})", names.join(", ")),
            None if names.is_empty() => "whoever takes alerts that nobody declared".to_owned(),
            None => format!("whoever takes alerts that nobody owns ({}) or declared", names.join(", ")),
        }
    }
}
