//! The cost of a lookup over its size, both on logarithmic scales.

use super::Size;
use anyhow::anyhow;
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, IntoLogRange, LineSeries, RGBColor, SVGBackend, WHITE,
};

const PIXELS: (u32, u32) = (720, 420);
const MEASURED: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PROPORTIONAL: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);

/// An SVG of it, with what a cost in proportion to the bytes of the largest would be.
///
/// # Errors
/// When it cannot be drawn.
pub fn of(sizes: &[Size]) -> anyhow::Result<String> {
    let points: Vec<(f64, f64)> = sizes
        .iter()
        .map(|size| (size.figures.bytes_per_answer as f64 / 1e3, size.lookup_us()))
        .collect();
    let [first, .., last] = points[..] else {
        return Err(anyhow!("two sizes at least are needed"));
    };
    let most = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let least = points.iter().map(|point| point.1).fold(f64::MAX, f64::min);
    let proportional = [first.0, last.0].map(|kb| (kb, last.1 * kb / last.0));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, PIXELS).into_drawing_area();
        area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
        let across = (first.0 / 2.0..last.0 * 2.0).log_scale();
        let upwards = (least.min(proportional[0].1) / 2.0..most * 2.0).log_scale();
        let mut chart = ChartBuilder::on(&area)
            .caption(
                "a lookup: time of the whole machine, over its size",
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
            .y_desc("µs; grey: in proportion to the bytes")
            .draw()
            .map_err(|error| anyhow!("{error}"))?;
        chart
            .draw_series(LineSeries::new(proportional, PROPORTIONAL))
            .map_err(|error| anyhow!("{error}"))?;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), MEASURED))
            .map_err(|error| anyhow!("{error}"))?;
        chart
            .draw_series(points.iter().map(|point| Circle::new(*point, 4, MEASURED)))
            .map_err(|error| anyhow!("{error}"))?;
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    Ok(svg)
}
