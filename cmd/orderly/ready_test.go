package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestReadiness(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	full := errors.New("database or disk is full")
	var answer error
	commits := 0
	r := &readiness{now: func() time.Time { return now }, commit: func(context.Context) error { commits++; return answer }}
	for _, step := range []struct {
		wait    time.Duration
		disk    error
		want    error
		commits int
	}{
		{0, nil, nil, 1},
		{4 * time.Second, full, nil, 1},  // asked again soon: nothing is written for it
		{2 * time.Second, full, full, 2}, // the disk is full by now
		{time.Second / 2, nil, full, 2},  // and for a moment it stays so
		{time.Second, nil, nil, 3},       // room again
		{6 * time.Second, full, full, 4}, // and full
		{2 * time.Second, full, full, 5}, // looked at again
		{90 * time.Second, nil, nil, 6},  // mended
		{time.Millisecond, full, nil, 6}, // good for its time
		{5 * time.Second, nil, nil, 7},   // and longer
		{5 * time.Second, full, full, 8}, // full
		{999 * time.Hour, full, full, 9}, // still
		{999 * time.Hour, nil, nil, 10},  // mended
	} {
		now, answer = now.Add(step.wait), step.disk
		if err := r.check(t.Context()); !errors.Is(err, step.want) || commits != step.commits {
			t.Fatalf("after %v with the disk %v: %v and %d commits, want %v and %d", step.wait, step.disk, err, commits, step.want, step.commits)
		}
	}
}
