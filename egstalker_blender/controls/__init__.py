"""The controls of an avatar: values at a frame (`state`), F-curves (`curves`), `presets`."""
