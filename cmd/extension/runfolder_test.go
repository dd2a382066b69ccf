package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Whatever the function leaves in the place of the run folder before it has the
// sandbox reset, the next start gets its ready file: without one the wrapper
// would start the function unguarded.
func TestRunFolderIsTakenBack(t *testing.T) {
	for _, poison := range []string{
		"true",
		"chmod 755 $D", "chmod 500 $D", "chmod 000 $D",
		"rm -r $D; touch $D", "rm -r $D; ln -s $E $D", "rm -r $D; ln -s /nowhere $D", "rm -r $D; mkfifo $D",
		"rm $D/ready; mkdir -p $D/ready/x", "rm $D/ready; mkdir -p $D/ready/x; chmod 000 $D/ready",
		"rm $D/ready; ln -s $E/own $D/ready", "mkdir -p $D/ready.new/x", "ln -s $E/own $D/ready.new", "mkfifo $D/ready.new",
		"rm $D/ca.pem; mkdir -p $D/ca.pem/x",
	} {
		dir, elsewhere := filepath.Join(t.TempDir(), "run"), t.TempDir()
		takeFolder(t, "the first start", dir)
		cmd := exec.Command("sh", "-ec", poison)
		cmd.Env = append(os.Environ(), "D="+dir, "E="+elsewhere)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", poison, err, out)
		}
		takeFolder(t, poison, dir)
		_ = exec.Command("chmod", "-R", "u+rwx", dir).Run() // so that the test's own cleaning can
		if list, err := os.ReadDir(elsewhere); err != nil || len(list) > 0 {
			t.Errorf("%s: a link was followed: %v %v", poison, list, err)
		}
	}
}

// takeFolder does with dir what a start does.
func takeFolder(t *testing.T, when, dir string) {
	t.Helper()
	f, err := openRunFolder(dir)
	if err != nil {
		t.Errorf("%s: %v", when, err)
		return
	}
	if err := f.write("ca.pem", []byte("certificate")); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	if err := f.ready([][2]string{{"egress", "127.0.0.1:1"}}); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	for name, mode := range map[string]os.FileMode{"": os.ModeDir | 0o700, "ready": 0o600, "ca.pem": 0o600} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %q is %v (%v), want %v", when, name, info, err, mode)
		}
	}
	if text, err := os.ReadFile(f.path("ready")); string(text) != "egress=127.0.0.1:1\n" {
		t.Errorf("%s: ready holds %q (%v)", when, text, err)
	}
}
