//! What a real Alertmanager makes of alerts with the kit's configuration: who is told, in which words, and what is muted.
//!
//! Alerts are raised as Prometheus would raise them. Time is real, for it is another process that waits; a few seconds.

use crate::artifacts::storefront;
use crate::artifacts_alertmanager::ODD;
use crate::support::alertmanager::{Alertmanager, Message, People, set_all};
use plimsoll::Slo;
use plimsoll::artifacts::Kit;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// People can wait for minutes, a test cannot.
fn at_once(config: &mut Value) {
    set_all(config, "group_wait", "0s");
    set_all(config, "group_interval", "1s");
}

fn alert(name: &str, severity: &str, slo: &str) -> Value {
    json!({
        "labels": { "alertname": name, "severity": severity, "slo": slo, "service": slo },
        "annotations": {
            "summary": format!("{slo} burns"),
            "description": format!("what is {slo}"),
            "action": format!("do {slo}"),
            "runbook_url": "https://runbooks.example/a|b?c=d&e=<f>",
            "dashboard_url": "not a URL: <!channel>",
        },
    })
}

fn ended(mut alert: Value) -> Value {
    alert["endsAt"] = json!("2020-01-01T00:00:00Z");
    alert["startsAt"] = json!("2019-01-01T00:00:00Z");
    alert
}

/// What Slack shows: the text of links, and the three entities as what they stand for. Also the links.
fn as_slack_shows(text: &str) -> (String, Vec<(String, String)>) {
    let plain = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let (mut shown, mut links) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let (link, after) = after.split_once('>').unwrap_or_else(|| panic!("a link without an end in {text}"));
        let (url, label) = link.split_once('|').unwrap_or_else(|| panic!("{link:?} in {text}"));
        shown += &plain(before);
        shown += label;
        links.push((label.to_owned(), plain(url)));
        rest = after;
    }
    assert!(!rest.contains('>') && !shown.contains("\u{0}"), "{text}");
    (shown + &plain(rest), links)
}

/// A link's matchers, as the form of Alertmanager reads them.
fn matchers(url: &str) -> String {
    let filter = url.strip_prefix("http://alerts.example/#/silences/new?filter=").unwrap_or_else(|| panic!("{url}"));
    let mut bytes = Vec::new();
    let mut rest = filter.bytes();
    while let Some(byte) = rest.next() {
        // Each other byte is a character of a URL itself: nothing was left as it was that means anything there.
        assert!(byte == b'%' || byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte), "{url}");
        bytes.push(if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', r#"\""#))
}

fn of<'a>(messages: &'a [Message], to: &str) -> Vec<&'a Message> {
    messages.iter().filter(|message| message.to == to).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_declarations_is_shown_and_nothing_else() {
    let people = People::at_work().await;
    let kit = Kit::new(ODD.iter().map(|name| Slo::new(*name).success(99.9).owner("them"))).unwrap();
    let alertmanager = Alertmanager::telling(&people, "odd-messages", &kit, at_once).await;
    let alerts: Vec<Value> = ODD.iter().map(|name| alert("ErrorBudgetBurn", "P0", name)).collect();
    alertmanager.raise(&alerts).await;
    people.until("each is paged and told of", 20, |told| told.len() >= 2 * ODD.len()).await;
    let told = people.told();
    let (pages, chats) = (of(&told, "pager them/pager-key trigger"), of(&told, "chat them"));
    assert_eq!((pages.len(), chats.len()), (ODD.len(), ODD.len()));
    for name in ODD {
        let page = pages.iter().find(|page| page.body["payload"]["group"] == name);
        let page = &page.unwrap_or_else(|| panic!("nobody was paged for {name:?}")).body;
        assert_eq!(page["payload"]["summary"], format!("P0: {name} burns"));
        assert_eq!((&page["payload"]["component"], &page["payload"]["severity"]), (&json!(name), &json!("critical")));
        let details = page["payload"]["custom_details"]["firing"].as_str().unwrap();
        for line in
            [format!("What: what is {name}"), format!("Do: do {name}"), "Dashboard: not a URL: <!channel>".into()]
        {
            assert!(details.contains(&line), "{line}\n{details}");
        }
        let links = page["links"].as_array().unwrap().iter();
        let links: BTreeMap<&str, &str> =
            links.map(|link| (link["text"].as_str().unwrap(), link["href"].as_str().unwrap())).collect();
        assert_eq!(links.get("Runbook"), Some(&"https://runbooks.example/a|b?c=d&e=<f>"));
        assert_eq!(links.get("Dashboard"), None, "what is no URL is no link");
        let acknowledge = format!("{{alertname=\"PageUnacknowledged\", slo={}}}", quoted(name));
        let silence = format!("{{service={0}, slo={0}, severity=\"P0\"}}", quoted(name));
        assert_eq!(matchers(links["Acknowledge: nobody else is paged"]), acknowledge);
        assert_eq!(matchers(links["Silence"]), silence);

        let titled = |chat: &&&Message| as_slack_shows(chat.attachment("title")).0 == format!("P0: {name} burns");
        let chat = chats.iter().find(titled).unwrap_or_else(|| panic!("the chat was not told of {name:?}"));
        assert!(!chat.attachment("title").contains(['<', '>']), "{chat:?}");
        let (text, links) = as_slack_shows(chat.attachment("text"));
        for line in
            [format!("*What:* what is {name}"), format!("*Do:* do {name}"), format!("SLO {name}, service {name}")]
        {
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(text.contains("Dashboard: not a URL: <!channel>"), "{text}");
        let [(_, runbook), (_, acknowledged), (_, silenced)] = links.as_slice() else { panic!("{links:?}") };
        assert_eq!(runbook, "https://runbooks.example/a%7Cb?c=d&e=<f>");
        assert_eq!((matchers(acknowledged), matchers(silenced)), (acknowledge, silence));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mutes_what() {
    let people = People::at_work().await;
    // Each odd name depends on the next: what is muted shows that both are matched.
    let next = |i: usize| ODD[(i + 1) % ODD.len()];
    let slos = ODD[1..].iter().enumerate().map(|(i, name)| Slo::new(*name).success(99.9).depends_on(next(i + 1)));
    let kit = Kit::new(slos.chain([Slo::new(ODD[0]).success(99.9)])).unwrap();
    let alertmanager = Alertmanager::telling(&people, "mutes", &kit, at_once).await;
    // The last of the chain is dead: all others wait for it, but what is their own is told.
    let mut alerts = vec![alert("SloMetricsAbsent", "P0", ODD[0]), alert("InstanceDown", "P1", ODD[0])];
    for name in &ODD[1..] {
        alerts.extend([alert("ErrorBudgetBurn", "P1", name), alert("ErrorBudgetLow", "P2", name)]);
        alerts.extend([
            alert("ErrorBudgetBurn", "P0", &format!("{name}x")),
            alert("CircuitBreakerOpen", "P1", &format!("{name}x")),
        ]);
        alerts.extend([alert("InstanceDown", "P1", &format!("{name}x"))]);
    }
    alerts.extend([alert("InstanceDown", "P1", ODD[1]), alert("ErrorBudgetLow", "P2", "alone")]);
    alerts.extend([alert("InstanceDown", "P1", "alone"), alert("ErrorBudgetBurn", "P0", ODD[1])]);
    // Alerts without an SLO are not of one SLO.
    for (name, severity) in [("A", "P0"), ("B", "P1"), ("C", "P2")] {
        alerts.push(json!({ "labels": { "alertname": name, "severity": severity } }));
    }
    alertmanager.raise(&alerts).await;
    let raised = alertmanager.alerts().await;
    assert_eq!(raised.len(), alerts.len());
    for alert in &raised {
        let label = |label: &str| alert["labels"][label].as_str().unwrap_or_default();
        let (name, severity, slo) = (label("alertname"), label("severity"), label("slo"));
        let of_itself = slo.ends_with('x') && name == "CircuitBreakerOpen";
        let of_the_dead = name == "InstanceDown" && slo == ODD[0];
        let dependent = ODD[1..].contains(&slo) && severity != "P0" && name != "InstanceDown";
        let muted = !alert["status"]["inhibitedBy"].as_array().unwrap().is_empty();
        assert_eq!(muted, of_itself || of_the_dead || dependent, "{name} {severity} of {slo:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_a_page_stops_the_escalation_and_still_hears_that_it_is_over() {
    let people = People::at_work().await;
    let kit = storefront().tickets_at(people.tickets());
    let alertmanager = Alertmanager::telling(&people, "escalation", &kit, at_once).await;
    let (page, escalation) =
        (alert("ErrorBudgetBurn", "P0", "payments"), alert("PageUnacknowledged", "P0", "checkout"));
    alertmanager.raise(std::slice::from_ref(&page)).await;
    people.until("payments pages", 10, |told| told.len() >= 2).await;
    // Nobody has taken the page of checkout.
    alertmanager.raise(std::slice::from_ref(&escalation)).await;
    let second = "pager team-storefront/second-line-key trigger";
    people.until("the second line is paged", 10, |told| !of(told, second).is_empty()).await;
    people.until("and the chat knows", 10, |told| !of(told, "chat team-storefront").is_empty()).await;

    // Somebody takes the page of payments by its link.
    let chat = &people.to("chat team-payments")[0];
    let (_, links) = as_slack_shows(chat.attachment("text"));
    let (_, link) = links.iter().find(|(label, _)| label == "Acknowledge").unwrap();
    let taken = matchers(link);
    let taken: Vec<&str> = taken.trim_matches(['{', '}']).split(", ").collect();
    alertmanager.silence(&taken);
    let unacknowledged = alert("PageUnacknowledged", "P0", "payments");
    alertmanager.raise(&[unacknowledged.clone(), alert("CircuitBreakerOpen", "P1", "checkout")]).await;
    let silenced = |raised: &Value| !raised["status"]["silencedBy"].as_array().unwrap().is_empty();
    for raised in alertmanager.alerts().await {
        let taken = raised["labels"]["alertname"] == "PageUnacknowledged" && raised["labels"]["slo"] == "payments";
        assert_eq!(silenced(&raised), taken, "{raised}");
    }
    alertmanager.raise(&[ended(page), ended(unacknowledged), ended(escalation)]).await;
    let over = ["pager team-payments/pager-key resolve", "pager team-storefront/second-line-key resolve"];
    people.until("both pages are over", 10, |told| over.iter().all(|over| !of(told, over).is_empty())).await;
    assert!(
        people.recipients().iter().all(|to| !to.contains("team-payments/second-line-key")),
        "{:?}",
        people.recipients()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_route_expects_is_a_ticket() {
    let people = People::at_work().await;
    let kit = storefront().tickets_at(people.tickets());
    let alertmanager = Alertmanager::telling(&people, "foreign", &kit, at_once).await;
    let foreign = json!({ "labels": { "alertname": "DiskFull", "host": "a" }, "annotations": { "message": "full" } });
    alertmanager.raise(std::slice::from_ref(&foreign)).await;
    let ticket = "ticket on-call/ticket-token firing";
    people.until("it is a ticket", 10, |told| of(told, ticket).len() + of(told, "chat on-call").len() >= 2).await;
    let chat = &people.to("chat on-call")[0];
    assert_eq!(chat.title(), "DiskFull");
    let (text, links) = as_slack_shows(chat.attachment("text"));
    assert!(text.contains("DiskFull") && !text.contains("Acknowledge") && !text.contains("no value"), "{text}");
    assert_eq!(matchers(&links[0].1), "{alertname=\"DiskFull\"}");
    alertmanager.raise(&[ended(foreign)]).await;
    let over = "ticket on-call/ticket-token resolved";
    people.until("the ticket is closed", 10, |told| !of(told, over).is_empty()).await;
    people
        .until("and the chat told", 10, |told| {
            told.last().is_some_and(|last| last.title() == "Resolved: DiskFull") || told.len() > 3
        })
        .await;
}
