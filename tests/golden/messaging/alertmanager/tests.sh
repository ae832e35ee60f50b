#!/bin/sh
# Where each alert goes, asked of amtool (it comes with Alertmanager): sh alertmanager/tests.sh
# Fails if one goes elsewhere than expected. Whether a P2 comes in working hours is not asked: amtool knows no hours.
# Written by plimsoll from declared SLOs: change those, not this file.
set -u
cd "$(dirname "$0")" || exit 2
command -v amtool >/dev/null || { echo "amtool is not installed: it comes with Alertmanager" >&2; exit 2; }
amtool check-config alertmanager.yml || exit 1
tested=0
wrong=0

# The receiver, and the labels of an alert.
expect() {
    receiver=$1
    shift
    tested=$((tested + 1))
    if got=$(amtool config routes test --config.file=alertmanager.yml --verify.receivers="$receiver" "$@" 2>&1); then
        printf 'ok     %s <- %s\n' "$receiver" "$*"
    else
        wrong=$((wrong + 1))
        printf 'WRONG  %s <- %s\n%s\n' "$receiver" "$*" "$got"
    fi
}

expect team-messaging-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="message-delivery"' 'service="gateway"'
expect team-messaging-chat-and-ticket 'alertname="Foreign"' 'slo="message-delivery"'
expect team-messaging-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="message-routing"' 'service="router"'
expect team-messaging-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="message-routing"' 'service="router"'
expect team-messaging-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="message-routing"' 'service="router"'
expect team-messaging-chat-and-ticket 'alertname="Foreign"' 'slo="message-routing"'
expect team-storage-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="message-store"' 'service="store"'
expect team-storage-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="message-store"' 'service="store"'
expect team-storage-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="message-store"' 'service="store"'
expect team-storage-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="message-store"' 'service="store"'
expect team-storage-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="message-store"' 'service="store"'
expect team-storage-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="message-store"' 'service="store"'
expect team-storage-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="message-store"' 'service="store"'
expect team-storage-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="message-store"' 'service="store"'
expect team-storage-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="message-store"' 'service="store"'
expect team-storage-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="message-store"' 'service="store"'
expect team-storage-chat-and-ticket 'alertname="Foreign"' 'slo="message-store"'
expect team-presence-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="presence"' 'service="presence"'
expect team-presence-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="presence"' 'service="presence"'
expect team-presence-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="presence"' 'service="presence"'
expect team-presence-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="presence"' 'service="presence"'
expect team-presence-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="presence"' 'service="presence"'
expect team-presence-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="presence"' 'service="presence"'
expect team-presence-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="presence"' 'service="presence"'
expect team-presence-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="presence"' 'service="presence"'
expect team-presence-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="presence"' 'service="presence"'
expect team-presence-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="presence"' 'service="presence"'
expect team-presence-chat-and-ticket 'alertname="Foreign"' 'slo="presence"'
expect team-push-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="push"' 'service="push"'
expect team-push-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="push"' 'service="push"'
expect team-push-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="push"' 'service="push"'
expect team-push-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="push"' 'service="push"'
expect team-push-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="push"' 'service="push"'
expect team-push-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="push"' 'service="push"'
expect team-push-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="push"' 'service="push"'
expect team-push-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="push"' 'service="push"'
expect team-push-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="push"' 'service="push"'
expect team-push-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="push"' 'service="push"'
expect team-push-chat-and-ticket 'alertname="Foreign"' 'slo="push"'
# What nobody declared.
expect on-call-pager-and-chat 'alertname="Foreign"' 'severity="P0"'
expect on-call-chat-and-ticket 'alertname="Foreign"' 'severity="P1"'
expect on-call-chat 'alertname="Foreign"' 'severity="P2"'
expect on-call-second-line 'alertname="PageUnacknowledged"'
expect on-call-chat-and-ticket 'alertname="Foreign"' 'severity="warning"'
expect on-call-chat-and-ticket

printf '%s routes tested, %s wrong\n' "$tested" "$wrong"
[ "$wrong" -eq 0 ]
