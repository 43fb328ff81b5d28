"""What results are measured by: pure functions of points, images, features and numbers, each with its definition."""
