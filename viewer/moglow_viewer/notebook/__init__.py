"""Takes in notebooks: `take_widget` plays one and samples it again in another style or at another temperature."""
