//! Pictures: goodput over load, and latency over time through the incident.

use super::columns::at;
use super::roster::{ROWS, Row};
use super::table::{Effort, run};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::path::Path;

type Lines = Vec<(&'static str, Vec<(f64, f64)>)>;

const LOADS: [f64; 12] = [0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];
/// What the overload is in the picture of latencies.
const TIMES: f64 = 3.0;

pub fn goodput(file: &Path, effort: &Effort) {
    let point = |row: &Row, times: f64| (times, run(row, &at(times), 0, effort).phases()[1].goodput());
    let lines = ROWS.iter().map(|row| (row.name, LOADS.iter().map(|times| point(row, *times)).collect())).collect();
    let axes = ("load, × capacity", "goodput, share of capacity");
    draw(file, "Goodput over load", axes, lines, (0.5..10.0).log_scale(), 0.0..1.05);
}

pub fn latency(file: &Path, effort: &Effort) {
    let line = |row: &Row| {
        let report = run(row, &at(TIMES), 0, effort);
        let seconds = report.seconds().iter();
        seconds.filter_map(|second| Some((second.begins.as_secs_f64(), second.p99?.as_secs_f64() * 1e3))).collect()
    };
    let lines: Lines = ROWS.iter().map(|row| (row.name, line(row))).collect();
    let ends = 240.0 / f64::from(effort.shorter);
    let axes = ("seconds", "p99 of those answered, ms");
    let title = format!("Latency through the incident: {TIMES} × capacity from {} s to {} s", ends / 4.0, ends * 0.75);
    draw(file, &title, axes, lines, 0.0..ends, (10.0..200_000.0).log_scale());
}

fn draw<X, Y>(file: &Path, title: &str, (x, y): (&str, &str), lines: Lines, across: X, up: Y)
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
    Y::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
{
    let root = SVGBackend::new(file, (1200, 700)).into_drawing_area();
    root.fill(&WHITE).expect("a picture");
    // The names stand beside the picture, not in it.
    let (picture, names) = root.split_horizontally(900);
    let mut chart = ChartBuilder::on(&picture);
    chart.caption(title, ("sans-serif", 20)).margin(12).x_label_area_size(44).y_label_area_size(70);
    let mut chart = chart.build_cartesian_2d(across, up).expect("axes");
    chart.configure_mesh().light_line_style(WHITE).x_desc(x).y_desc(y).draw().expect("a mesh");
    let all = lines.len();
    for (number, (name, line)) in lines.into_iter().enumerate() {
        let ours = number + 1 == all;
        let colour = if ours { BLACK.to_rgba() } else { HSLColor(number as f64 / all as f64, 0.75, 0.45).to_rgba() };
        let style = colour.stroke_width(if ours { 4 } else { 2 });
        chart.draw_series(LineSeries::new(line, style)).expect("a line");
        let height = 50 + 26 * number as i32;
        names.draw(&PathElement::new([(0, height), (24, height)], style)).expect("its sample");
        names.draw(&Text::new(name, (32, height - 8), ("sans-serif", 15))).expect("its name");
    }
    root.present().expect("the file can be written");
}
