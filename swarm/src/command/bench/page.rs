//! A measurement as one page that needs nothing else: charts are drawn here as SVG.

use std::fmt::Write;

use super::looks::Quantiles;
use super::report::{Kind, Report, in_unit};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
/// Room for the scales to the left and below.
const LEFT: f64 = 70.0;
const BELOW: f64 = 40.0;
const COLOURS: [&str; 5] = ["#1f6fb2", "#c2571a", "#4b8b3b", "#8f8f8f", "#6b4fa0"];

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;\
padding:0 1em;color:#222;background:#fff}table{border-collapse:collapse;margin:1em 0}\
td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}\
svg text{font-size:12px;fill:#555}";

/// The page.
pub fn page(report: &Report) -> String {
    let title = format!("Latency of {} at {} tuples/s", escaped(&report.topology), report.rate);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>{} workers, {:.0} s</p>\n",
        report.workers, report.duration_s
    );
    quantiles(&mut page, report);
    page += "<h2>Latency by quantile</h2>\n";
    page += &curve(&report.rows().collect::<Vec<_>>());
    for one in &report.kinds {
        let _ = writeln!(page, "<h2>{} in each second</h2>", escaped(&one.kind));
        page += &course(report, &one.kind);
    }
    processes(&mut page, report);
    page + "</body></html>\n"
}

fn quantiles(page: &mut String, report: &Report) {
    *page += "<table><tr><th>latency<th>samples<th>per s<th>p50<th>p90<th>p99<th>p99.9<th>p99.99<th>max</tr>\n";
    for (name, one) in report.rows() {
        let q = &one.quantiles;
        let last = q.p9999_us.map_or("–".to_owned(), in_unit);
        let [p50, p90, p99, p999, max] =
            [q.p50_us, q.p90_us, q.p99_us, q.p999_us, q.max_us].map(in_unit);
        let name = escaped(&name);
        let per_s = one.per_s.map_or("–".to_owned(), |per_s| format!("{per_s:.0}"));
        let _ = writeln!(
            page,
            "<tr><td>{name}<td>{}<td>{per_s}<td>{p50}<td>{p90}<td>{p99}<td>{p999}<td>{last}<td>{max}</tr>",
            q.samples
        );
    }
    *page += "</table>\n";
    for (kind, ratio) in &report.ratios {
        let _ = writeln!(
            page,
            "<p>{}: p50 {:.2} times, p99 {:.2} times that of a bare TCP echo</p>",
            escaped(kind),
            ratio.p50,
            ratio.p99
        );
    }
}

fn processes(page: &mut String, report: &Report) {
    *page += "<h2>Processes</h2>\n<table><tr><th>process<th>pid<th>CPU<th>memory</tr>\n";
    for one in &report.processes {
        let what = escaped(&one.what);
        let memory = one.resident_bytes as f64 / f64::from(1 << 20);
        let _ = writeln!(
            page,
            "<tr><td>{what}<td>{}<td>{:.1} %<td>{memory:.1} MiB</tr>",
            one.pid, one.cpu_percent
        );
    }
    *page += "</table>\n";
}

/// A logarithmic scale of latencies, in microseconds, upwards.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        Self { low: low.log10().floor(), high: high.log10().ceil().max(low.log10().floor() + 1.0) }
    }

    fn y(&self, us: f64) -> f64 {
        let log = us.max(10f64.powf(self.low)).log10();
        (HEIGHT - BELOW) * (1.0 - (log - self.low) / (self.high - self.low)) + 10.0
    }

    /// A line and a label for each power of ten.
    fn grid(&self) -> String {
        let mut grid = String::new();
        for power in self.low as i32..=self.high as i32 {
            let us = 10f64.powi(power);
            let y = self.y(us);
            let (label, right) = (LEFT - 8.0, WIDTH - 10.0);
            let _ = writeln!(
                grid,
                "<path d=\"M{LEFT:.0} {y:.1}H{right:.0}\" stroke=\"#ddd\"/>\
                 <text x=\"{label:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                y + 4.0,
                in_unit(us)
            );
        }
        grid
    }
}

fn svg(content: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n{content}</svg>\n")
}

fn line(points: &[(f64, f64)], colour: &str) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
        points.join(" ")
    )
}

fn name(at: usize, name: &str, colour: &str) -> String {
    let x = LEFT + 10.0 + 150.0 * at as f64;
    format!(
        "<text x=\"{x:.0}\" y=\"{:.0}\" style=\"fill:{colour}\">{}</text>\n",
        HEIGHT - 2.0,
        escaped(name)
    )
}

/// Latency over quantile, the quantiles spread so that each further nine takes as much room.
fn curve(rows: &[(String, &Kind)]) -> String {
    let points = |kind: &Kind| -> Vec<(f64, f64)> {
        kind.curve.iter().copied().filter(|(quantile, _)| *quantile < 1.0).collect()
    };
    let scale = Scale::of(rows.iter().flat_map(|(_, kind)| points(kind)).map(|(_, us)| us));
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let most =
        rows.iter().flat_map(|(_, kind)| points(kind)).map(|(q, _)| nines(q)).fold(2.0, f64::max);
    let x = |quantile: f64| LEFT + (WIDTH - LEFT - 10.0) * nines(quantile) / most;
    let mut content = scale.grid();
    for (label, quantile) in
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)]
    {
        if nines(quantile) <= most {
            let (at, bottom) = (x(quantile), HEIGHT - BELOW + 10.0);
            let _ = writeln!(
                content,
                "<path d=\"M{at:.1} 10V{bottom:.0}\" stroke=\"#eee\"/>\
                 <text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
                bottom + 14.0
            );
        }
    }
    for (at, (label, kind)) in rows.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<_> = points(kind).into_iter().map(|(q, us)| (x(q), scale.y(us))).collect();
        content += &line(&points, colour);
        content += &name(at, label, colour);
    }
    svg(&content)
}

/// p50, p99 and maximum of each second.
fn course(report: &Report, kind: &str) -> String {
    let seconds: Vec<_> = report
        .seconds
        .iter()
        .filter_map(|second| Some((second.at_s, *second.latencies.get(kind)?)))
        .collect();
    let all = seconds.iter().flat_map(|(_, q)| [q.p50_us, q.p99_us, q.max_us]);
    let scale = Scale::of(all);
    let x = |at_s: f64| LEFT + (WIDTH - LEFT - 10.0) * at_s / report.duration_s.max(f64::EPSILON);
    let mut content = scale.grid();
    let value = |label: &str, q: &Quantiles| match label {
        "p50" => q.p50_us,
        "p99" => q.p99_us,
        _ => q.max_us,
    };
    for (at, label) in ["p50", "p99", "max"].into_iter().enumerate() {
        let point = |(at_s, q): &(f64, Quantiles)| (x(*at_s), scale.y(value(label, q)));
        let points: Vec<_> = seconds.iter().map(point).collect();
        content += &line(&points, COLOURS[at]);
        content += &name(at, label, COLOURS[at]);
    }
    svg(&content)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_charts_inside_and_asks_no_network() {
        let page = page(&super::super::report::tests::report());
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<polyline").count(), 1 + 3);
        for foreign in ["://", "<script", "src=", "@import", "NaN", "inf"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        for part in ["500.", "1.00 ms", "worker on port 6700", "p99.9"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn names_cannot_break_the_page() {
        let mut report = super::super::report::tests::report();
        report.topology = "<b>&".to_owned();
        assert!(page(&report).contains("<title>Latency of &lt;b&gt;&amp; at 100 tuples/s</title>"));
    }

    #[test]
    fn a_measurement_without_a_course_still_makes_a_page() {
        let mut report = super::super::report::tests::report();
        report.seconds.clear();
        report.kinds.clear();
        assert!(!page(&report).contains("NaN"));
    }
}
