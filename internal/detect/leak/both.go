package leak

import "gatehouse/internal/detect"

// Both shows a stream to two scanners: what both have cleared may leave, and the first
// finding is theirs.
func Both(a, b detect.Scanner) detect.Scanner { return &both{of: [2]detect.Scanner{a, b}} }

type both struct {
	of      [2]detect.Scanner
	cleared [2]int
	passed  int
}

func (s *both) Write(p []byte) (int, *detect.Finding) {
	return s.each(func(one detect.Scanner) (int, *detect.Finding) { return one.Write(p) })
}

func (s *both) Flush() (int, *detect.Finding) {
	return s.each(func(one detect.Scanner) (int, *detect.Finding) { return one.Flush() })
}

func (s *both) each(do func(detect.Scanner) (int, *detect.Finding)) (int, *detect.Finding) {
	for i, one := range s.of {
		n, f := do(one)
		if f != nil {
			return 0, f
		}
		s.cleared[i] += n
	}
	was := s.passed
	s.passed = min(s.cleared[0], s.cleared[1])
	return s.passed - was, nil
}

func (s *both) Close() *detect.Finding {
	var found *detect.Finding
	for _, one := range s.of {
		if f := one.Close(); f != nil && found == nil {
			found = f
		}
	}
	return found
}

// Uninspected is that of the first that says so; see detect.Gapped.
func (s *both) Uninspected() (reason string, bytes int) {
	for _, one := range s.of {
		if g, ok := one.(detect.Gapped); ok {
			if reason, bytes = g.Uninspected(); reason != "" {
				return reason, bytes
			}
		}
	}
	return "", 0
}
