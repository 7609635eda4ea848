-- +goose Up

-- PostgreSQL's sequences never give a number twice; SQLite learns it by this step.
SELECT 1;
