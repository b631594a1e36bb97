package viewer_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestEverythingDraws(t *testing.T) {
	s := startSite(t, map[string][]byte{"everything": fixture(t, "everything"), "broken": fixture(t, "broken")})
	b := openBrowser(t, 1440, 900)
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	for title, state := range b.states() {
		if state != "ok" {
			t.Errorf("panel %q is %s", title, state)
		}
	}
	b.screenshot(t, "dark")
	b.run(t, chromedp.Click(`[aria-label="Switch to the light theme"]`))
	b.screenshot(t, "light")
	fmt.Println(b.complaints())
}

func TestBroken(t *testing.T) {
	s := startSite(t, map[string][]byte{"everything": fixture(t, "everything"), "broken": fixture(t, "broken")})
	b := openBrowser(t, 1440, 900)
	b.open(t, s.url+"/ui/?d=broken&theme=dark")
	fmt.Println(b.states())
	b.screenshot(t, "broken")
	fmt.Println(b.complaints())
}
