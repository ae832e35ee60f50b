//! A picture of a simulation.

use super::report::{Report, Second};
use plotters::prelude::*;
use std::path::Path;
use std::time::Duration;

type Drawn<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SIZE: (u32, u32) = (960, 640);
const GREEN: RGBColor = RGBColor(0x2b, 0x8a, 0x3e);
const GREY: RGBColor = RGBColor(0x86, 0x8e, 0x96);
const RED: RGBColor = RGBColor(0xc9, 0x2a, 0x2a);
const BLUE: RGBColor = RGBColor(0x18, 0x64, 0xab);

impl Report {
    /// Draws the course of it, an SVG: above, how many requests a second there were and what became of them; below, how long
    /// those answered took, on a logarithmic scale.
    ///
    /// # Errors
    ///
    /// That the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(std::io::Error::other)?;
        std::fs::write(path, svg)
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (above, below) = root.split_vertically(SIZE.1 / 2);
        let end = self.seconds.last().map_or(1.0, |second| second.begins.as_secs_f64() + 1.0);
        let most = self.seconds.iter().map(|second| second.offered.max(second.completed).max(second.refused)).max();
        let most = most.unwrap_or_default().max(1) as f64 * 1.1;

        let mut chart = ChartBuilder::on(&above);
        let chart = chart.margin(8).x_label_area_size(24).y_label_area_size(64);
        let mut chart = chart.build_cartesian_2d(0.0..end, 0.0..most)?;
        chart.configure_mesh().light_line_style(WHITE).y_desc("requests a second").draw()?;
        let rates: [Line<u64>; 3] = [
            ("offered", GREY, |second| second.offered),
            ("refused", RED, |second| second.refused),
            ("answered in time", GREEN, |second| second.in_time),
        ];
        for (name, colour, rate) in rates {
            let line = self.seconds.iter().map(|second| (middle(second), rate(second) as f64));
            let drawn = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().border_style(GREY).background_style(WHITE.mix(0.8)).draw()?;

        let slowest = self.seconds.iter().filter_map(|second| second.p99).max().unwrap_or_default();
        let slowest = slowest.as_secs_f64().max(1e-3) * 2e3;
        let fastest = self.seconds.iter().filter_map(|second| second.p50).filter(|time| !time.is_zero()).min();
        let fastest = fastest.map_or(1.0, |time| time.as_secs_f64() * 5e2).min(slowest / 10.0);
        let mut chart = ChartBuilder::on(&below);
        let chart = chart.margin(8).x_label_area_size(36).y_label_area_size(64);
        let mut chart = chart.build_cartesian_2d(0.0..end, (fastest..slowest).log_scale())?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(WHITE).x_desc("seconds").y_desc("latency, ms").draw()?;
        let quantiles: [Line<Option<Duration>>; 2] =
            [("p99", BLUE, |second| second.p99), ("p50", GREEN, |second| second.p50)];
        for (name, colour, quantile) in quantiles {
            let line =
                self.seconds.iter().filter_map(|second| Some((middle(second), quantile(second)?.as_secs_f64() * 1e3)));
            let drawn = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().border_style(GREY).background_style(WHITE.mix(0.8)).draw()?;
        root.present()?;
        drop((chart, above, below));
        Ok(())
    }
}

/// A line's name, its colour, and its value in a second.
type Line<T> = (&'static str, RGBColor, fn(&Second) -> T);

fn middle(second: &Second) -> f64 {
    second.begins.as_secs_f64() + 0.5
}
