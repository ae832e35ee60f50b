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

expect team-storefront-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="checkout"' 'service="storefront"'
expect team-storefront-chat-and-ticket 'alertname="Foreign"' 'slo="checkout"'
expect team-payments-pager-and-chat 'alertname="ErrorBudgetBurn"' 'severity="P0"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat-and-ticket 'alertname="ErrorBudgetBurn"' 'severity="P1"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat 'alertname="ErrorBudgetBurn"' 'severity="P2"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat 'alertname="ErrorBudgetLow"' 'severity="P2"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat-and-ticket 'alertname="CircuitBreakerOpen"' 'severity="P1"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat-and-ticket 'alertname="LoadShedding"' 'severity="P1"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat-and-ticket 'alertname="InstanceDown"' 'severity="P1"' 'slo="payments"' 'service="storefront"'
expect team-payments-pager-and-chat 'alertname="SloMetricsAbsent"' 'severity="P0"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat 'alertname="SloDeclarationDrift"' 'severity="P2"' 'slo="payments"' 'service="storefront"'
expect team-payments-second-line 'alertname="PageUnacknowledged"' 'severity="P0"' 'slo="payments"' 'service="storefront"'
expect team-payments-chat-and-ticket 'alertname="Foreign"' 'slo="payments"'
# What nobody declared.
expect on-call-pager-and-chat 'alertname="Foreign"' 'severity="P0"'
expect on-call-chat-and-ticket 'alertname="Foreign"' 'severity="P1"'
expect on-call-chat 'alertname="Foreign"' 'severity="P2"'
expect on-call-second-line 'alertname="PageUnacknowledged"'
expect on-call-chat-and-ticket 'alertname="Foreign"' 'severity="warning"'
expect on-call-chat-and-ticket

printf '%s routes tested, %s wrong\n' "$tested" "$wrong"
[ "$wrong" -eq 0 ]
