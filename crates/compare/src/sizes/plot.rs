//! Draws the time per lookup by size, for quorate and the baseline, with logarithmic axes.

use super::size::Size;
use anyhow::anyhow;
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, IntoLogRange, LineSeries, RGBColor, SVGBackend, WHITE,
};

const PIXELS: (u32, u32) = (720, 420);
const QUORATE: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const BASELINE: RGBColor = RGBColor(0xe0, 0x8a, 0x1e);
const PROPORTIONAL: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);

/// Draws the chart as SVG. Beside the two measured lines, a third line shows a time proportional to
/// the size of the response. The third line ends at quorate's time for the largest registry.
///
/// # Errors
/// Fails if there are fewer than two sizes, or the chart cannot be drawn.
pub fn of(sizes: &[Size]) -> anyhow::Result<String> {
    let points = |cost: fn(&Size) -> f64| -> Vec<(f64, f64)> {
        sizes.iter().map(|size| (size.kb(), cost(size))).collect()
    };
    let (quorate, baseline) = (points(Size::lookup_us), points(Size::baseline_us));
    let [first, .., last] = quorate[..] else {
        return Err(anyhow!("at least two sizes are needed"));
    };
    let proportional = vec![(first.0, last.1 * first.0 / last.0), last];
    let costs = || [&quorate, &baseline, &proportional].into_iter().flatten();
    let most = costs().map(|point| point.1).fold(1.0, f64::max);
    let least = costs().map(|point| point.1).fold(f64::MAX, f64::min);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, PIXELS).into_drawing_area();
        area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
        let across = (first.0 / 2.0..last.0 * 2.0).log_scale();
        let upwards = (least / 2.0..most * 2.0).log_scale();
        let mut chart = ChartBuilder::on(&area)
            .caption(
                "time per lookup (1 / rate of all clients) by size",
                ("sans-serif", 18),
            )
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(across, upwards)
            .map_err(|error| anyhow!("{error}"))?;
        chart
            .configure_mesh()
            .x_desc("kB a lookup")
            .y_desc("µs; orange: the baseline; grey: proportional to the bytes")
            .draw()
            .map_err(|error| anyhow!("{error}"))?;
        for (line, color) in [
            (&proportional, PROPORTIONAL),
            (&baseline, BASELINE),
            (&quorate, QUORATE),
        ] {
            chart
                .draw_series(LineSeries::new(line.iter().copied(), color))
                .map_err(|error| anyhow!("{error}"))?;
        }
        for (line, color) in [(&baseline, BASELINE), (&quorate, QUORATE)] {
            chart
                .draw_series(line.iter().map(|point| Circle::new(*point, 4, color)))
                .map_err(|error| anyhow!("{error}"))?;
        }
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    Ok(svg)
}
