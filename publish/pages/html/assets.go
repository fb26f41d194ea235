package html

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

var (
	//go:embed assets/style.css
	style []byte
	//go:embed assets/script.js
	script []byte
	//go:embed assets/icon.svg
	icon []byte
)

// assets returns the style sheet, the script and the icon, in this order.
func assets() []model.Page {
	asset := func(name, ext string, body []byte) model.Page {
		digest := sha256.Sum256(body)
		return model.Page{Key: layout.AssetKey(name + "-" + hex.EncodeToString(digest[:8]) + "." + ext), Body: body}
	}
	return []model.Page{asset("style", "css", style), asset("script", "js", script), asset("icon", "svg", icon)}
}
