"""The app on a server of made-up answers: for tests of pages, without stores."""
