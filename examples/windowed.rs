//! A windowed bolt: the mean of the last three seconds, each second.
//!
//! `cargo run --example windowed -- run means --duration 6s`

use std::process::ExitCode;
use std::time::Duration;

use storm_runtime::app::print;
use storm_runtime::prelude::*;
use storm_runtime::window::{Window, WindowBolt, WindowCollector, Windowed};

/// Emits ten readings a second, which rise and fall.
#[derive(Default)]
struct Readings {
    emitted: i64,
}

impl Spout for Readings {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["celsius"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let celsius = 20.0 + (self.emitted as f64 / 10.0).sin();
        out.emit_with_id([celsius], self.emitted);
        self.emitted += 1;
        Ok(out.idle_for(Duration::from_millis(100)))
    }
}

/// Emits the mean of each window. A reading is acked when it has left its last window.
struct Mean;

impl WindowBolt for Mean {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["mean", "readings"]);
    }

    fn execute(&mut self, window: &Window<'_>, out: &mut WindowCollector<'_>) -> Result {
        let (mut sum, mut readings) = (0.0, 0_i64);
        for tuple in window.tuples() {
            sum += tuple.f64("celsius")?;
            readings += 1;
        }
        out.emit((sum / readings as f64, readings));
        Ok(())
    }
}

/// Prints each mean.
struct Print;

impl BasicBolt for Print {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let (mean, readings) = (tuple.f64("mean")?, tuple.i64("readings")?);
        print(format_args!("{mean:.2} degrees on the mean of {readings} readings"));
        Ok(())
    }
}

fn main() -> ExitCode {
    App::new()
        .topology("means", |builder, ()| {
            let last_three_seconds =
                || Windowed::new(Mean).length(Duration::from_secs(3)).slide(Duration::from_secs(1));
            builder.spout("readings", Readings::default);
            builder.bolt("mean", last_three_seconds).shuffle("readings");
            builder.bolt("print", || Print).shuffle("mean");
            Ok(())
        })
        .main()
}
