"""Words of what is to be doubted of a cut-out, and of pictures in which no object is found."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "The cut-out has {count} pieces; the largest is {share:.0%} of it.": (
        "Der Ausschnitt hat {count} Teile; das größte ist {share:.0%} davon.",
        "El recorte tiene {count} piezas; la mayor es el {share:.0%}.",
        "切り抜きは{count}個に分かれています。最大のものは全体の{share:.0%}です。",
        "抠图有 {count} 块，最大的一块占 {share:.0%}。",
    ),
    "All become one object. For one of them set Piece: 1 is the largest, 2 the next.": (
        "Alle werden ein Objekt. Für eines davon Teil setzen: 1 ist das größte, 2 das nächste.",
        "Todas forman un objeto. Para una sola usa Pieza: 1 es la mayor, 2 la siguiente.",
        "全部が一つの物になります。一つだけなら「部分」を設定：1が最大、2がその次です。",
        "它们会成为一个物体。只要其中一块时请设置“部件”：1 为最大，2 为其次。",
    ),
    "The cut-out is {share:.0%} of the picture: hardly any of it is background.": (
        "Der Ausschnitt ist {share:.0%} des Bildes: Hintergrund ist kaum da.",
        "El recorte es el {share:.0%} de la imagen: apenas hay fondo.",
        "切り抜きが画像の{share:.0%}を占め、背景がほとんどありません。",
        "抠图占图像的 {share:.0%}，几乎没有背景。",
    ),
    "The cut-out is a plain rectangle of {width} x {height} pixels, as of a whole picture.": (
        "Der Ausschnitt ist ein Rechteck von {width} x {height} Pixeln, wie ein ganzes Bild.",
        "El recorte es un rectángulo de {width} x {height} píxeles, como una imagen entera.",
        "切り抜きが{width} x {height}ピクセルの長方形で、画像全体のようです。",
        "抠图是 {width} x {height} 像素的矩形，像是整张图片。",
    ),
    "The cut-out has holes in the background's colour, {share:.0%} of it, where the network sees the object.": (
        "Der Ausschnitt hat Löcher in der Farbe des Hintergrunds, {share:.0%} davon, wo das Netz das Objekt sieht.",
        "El recorte tiene huecos del color del fondo, el {share:.0%}, donde la red ve el objeto.",
        "切り抜きに背景色の穴があり（{share:.0%}）、ネットワークはそこにも物を見ています。",
        "抠图中有背景色的孔洞（{share:.0%}），而网络认为那里是物体。",
    ),
    "Right for a ring or a handle; if they are eyes or a label, paint them white in the mask.": (
        "Richtig bei einem Ring oder Henkel; sind es Augen oder ein Etikett, in der Maske weiß malen.",
        "Bien para un anillo o un asa; si son ojos o una etiqueta, píntalos de blanco en la máscara.",
        "輪や取っ手なら正しいです。目やラベルならマスクで白く塗ってください。",
        "若是圆环或把手则正确；若是眼睛或标签，请在遮罩中涂白。",
    ),
    "{share:.0%} of the cut-out is a darker shade of the background, and may be a shadow.": (
        "{share:.0%} des Ausschnitts sind ein dunklerer Ton des Hintergrunds und vielleicht ein Schatten.",
        "El {share:.0%} del recorte es un tono más oscuro del fondo y puede ser una sombra.",
        "切り抜きの{share:.0%}は背景より暗い同系色で、影かもしれません。",
        "抠图的 {share:.0%} 是背景的较暗色调，可能是阴影。",
    ),
    "Paint it black in the mask, or let the network cut the object out.": (
        "In der Maske schwarz malen, oder das Netz ausschneiden lassen.",
        "Píntalo de negro en la máscara, o deja que la red recorte el objeto.",
        "マスクで黒く塗るか、ネットワークに切り抜かせてください。",
        "请在遮罩中涂黑，或让网络抠图。",
    ),
    "{share:.0%} of the cut-out is thinner than a pixel of the {size} x {size} that the prior sees.": (
        "{share:.0%} des Ausschnitts sind dünner als ein Pixel der {size} x {size}, die das Modell sieht.",
        "El {share:.0%} del recorte es más fino que un píxel de los {size} x {size} que ve el modelo.",
        "切り抜きの{share:.0%}は、モデルが見る{size} x {size}の1ピクセルより細いです。",
        "抠图的 {share:.0%} 比模型所见 {size} x {size} 的一个像素还细。",
    ),
    "It may be lost: use a picture from nearer, or paint the mask thicker there.": (
        "Es geht vielleicht verloren: ein Bild von näher nehmen oder die Maske dort dicker malen.",
        "Puede perderse: usa una imagen más cercana o pinta ahí la máscara más gruesa.",
        "失われるかもしれません。近くから撮るか、その部分のマスクを太く塗ってください。",
        "可能会丢失：请用更近的图片，或把该处遮罩涂粗。",
    ),
    "The object is too thin: 0 of {pixels} pixels of its mask are left at the {width} x {height} that the prior "
    "sees.": (
        "Das Objekt ist zu dünn: 0 von {pixels} Pixeln der Maske bleiben bei den {width} x {height}, die das "
        "Modell sieht.",
        "El objeto es demasiado fino: quedan 0 de {pixels} píxeles de su máscara a los {width} x {height} que ve "
        "el modelo.",
        "物が細すぎます。モデルが見る{width} x {height}では、マスクの{pixels}ピクセルのうち0が残ります。",
        "物体太细：在模型所见的 {width} x {height} 下，遮罩 {pixels} 像素中剩 0。",
    ),
    "Paint the mask thicker, or use a picture in which it is thicker.": (
        "Die Maske dicker malen oder ein Bild nehmen, in dem es dicker ist.",
        "Pinta la máscara más gruesa o usa una imagen en la que lo sea.",
        "マスクを太く塗るか、もっと太く写った画像を使ってください。",
        "请把遮罩涂粗，或使用其中更粗的图片。",
    ),
    "The object is only {width} x {height} pixels large in its picture.": (
        "Das Objekt ist in seinem Bild nur {width} x {height} Pixel groß.",
        "El objeto solo mide {width} x {height} píxeles en su imagen.",
        "画像の中の物が{width} x {height}ピクセルしかありません。",
        "物体在图中只有 {width} x {height} 像素。",
    ),
    "Use one where it has at least {least}; 300 show its detail.": (
        "Eines nehmen, in dem es mindestens {least} hat; 300 zeigen seine Einzelheiten.",
        "Usa una en la que tenga al menos {least}; 300 muestran el detalle.",
        "少なくとも{least}ある画像を使ってください。300あれば細部が見えます。",
        "请用至少 {least} 像素的图；300 像素能显示细节。",
    ),
    "The object touches the frame of the picture: {sides}.": (
        "Das Objekt berührt den Bildrand: {sides}.",
        "El objeto toca el borde de la imagen: {sides}.",
        "物が画像の端に触れています：{sides}。",
        "物体触到图像边框：{sides}。",
    ),
    "{share:.0%} of its left side": (
        "{share:.0%} des linken Randes",
        "el {share:.0%} del lado izquierdo",
        "左端の{share:.0%}",
        "左边的 {share:.0%}",
    ),
    "{share:.0%} of its right side": (
        "{share:.0%} des rechten Randes",
        "el {share:.0%} del lado derecho",
        "右端の{share:.0%}",
        "右边的 {share:.0%}",
    ),
    "{share:.0%} of its upper side": (
        "{share:.0%} des oberen Randes",
        "el {share:.0%} del lado superior",
        "上端の{share:.0%}",
        "上边的 {share:.0%}",
    ),
    "{share:.0%} of its lower side": (
        "{share:.0%} des unteren Randes",
        "el {share:.0%} del lado inferior",
        "下端の{share:.0%}",
        "下边的 {share:.0%}",
    ),
    "{first} and {second}": (
        "{first} und {second}",
        "{first} y {second}",
        "{first}、{second}",
        "{first} 和 {second}",
    ),
    "Use a picture that shows it whole: what the frame cuts off will be missing, or end flat.": (
        "Ein Bild nehmen, das es ganz zeigt: was der Rand abschneidet, fehlt oder endet flach.",
        "Usa una imagen que lo muestre entero: lo que corta el borde faltará o acabará plano.",
        "全体が写った画像を使ってください。端で切れた部分は欠けるか、平らに終わります。",
        "请用显示完整物体的图：被边框切掉的部分会缺失或变平。",
    ),
    "{count} stray pixels far from the object are left out of the cut-out.": (
        "{count} verstreute Pixel weit weg vom Objekt bleiben außerhalb des Ausschnitts.",
        "Se dejan fuera del recorte {count} píxeles sueltos lejos del objeto.",
        "物から離れた{count}個の点は切り抜きから外されます。",
        "远离物体的 {count} 个零散像素不计入抠图。",
    ),
    "Stop after the cut-out and look: the mask can be painted right. Or give a mask of your own.": (
        "Nach dem Ausschnitt anhalten und ansehen: die Maske lässt sich richtig malen. Oder eine eigene Maske angeben.",
        "Detente tras el recorte y mira: la máscara se puede corregir pintando. O da una máscara propia.",
        "切り抜きで止めて確認してください。マスクは塗り直せます。自分のマスクを渡すこともできます。",
        "请在抠图后停下查看：遮罩可以涂改。也可提供自己的遮罩。",
    ),
    "Give a mask (a second image, white where the object is), or a PNG with alpha.": (
        "Eine Maske angeben (ein zweites Bild, weiß wo das Objekt ist) oder ein PNG mit Alpha.",
        "Da una máscara (una segunda imagen, blanca donde está el objeto) o un PNG con alfa.",
        "マスク（物の所が白い二枚目の画像）か、アルファ付きのPNGを渡してください。",
        "请提供遮罩（第二张图，物体处为白色），或带 alpha 的 PNG。",
    ),
    "The background is busy, and the colours tell nothing apart, so the network cut the object out: {share:.0%} "
    "of the picture.": (
        "Der Hintergrund ist unruhig, und die Farben unterscheiden nichts; das Netz hat das Objekt "
        "ausgeschnitten: {share:.0%} des Bildes.",
        "El fondo es recargado y los colores no distinguen nada, así que la red recortó el objeto: el "
        "{share:.0%} de la imagen.",
        "背景が複雑で色では区別できないため、ネットワークが切り抜きました：画像の{share:.0%}。",
        "背景杂乱，颜色无法区分，因此由网络抠图：占图像的 {share:.0%}。",
    ),
    "The background is busy, so the network cut the object out: {share:.0%} of the picture. By its colours alone "
    "it would be {other:.0%}; the two overlap by {overlap:.0%}.": (
        "Der Hintergrund ist unruhig, also hat das Netz das Objekt ausgeschnitten: {share:.0%} des Bildes. Nach "
        "den Farben allein wären es {other:.0%}; beide decken sich zu {overlap:.0%}.",
        "El fondo es recargado, así que la red recortó el objeto: el {share:.0%} de la imagen. Solo por colores "
        "sería el {other:.0%}; coinciden en un {overlap:.0%}.",
        "背景が複雑なため、ネットワークが切り抜きました：画像の{share:.0%}。色だけなら{other:.0%}で、重なりは{overlap:.0%}です。",
        "背景杂乱，因此由网络抠图：占图像的 {share:.0%}。仅按颜色为 {other:.0%}，两者重叠 {overlap:.0%}。",
    ),
    "The background is busy, and the network sees no object: the colours find {share:.0%}.": (
        "Der Hintergrund ist unruhig, und das Netz sieht kein Objekt: die Farben finden {share:.0%}.",
        "El fondo es recargado y la red no ve ningún objeto: los colores encuentran el {share:.0%}.",
        "背景が複雑で、ネットワークは物を見つけません。色では{share:.0%}です。",
        "背景杂乱，网络看不到物体：颜色找到 {share:.0%}。",
    ),
    "Colours and network disagree about the object: it is {share:.0%} of the picture by the colours, which were "
    "taken, {other:.0%} by the network, and they overlap by {overlap:.0%}.": (
        "Farben und Netz sind sich nicht einig: nach den Farben, die gelten, ist das Objekt {share:.0%} des "
        "Bildes, nach dem Netz {other:.0%}; sie decken sich zu {overlap:.0%}.",
        "Colores y red no coinciden: el objeto es el {share:.0%} de la imagen por los colores, que se tomaron, "
        "el {other:.0%} por la red, y coinciden en un {overlap:.0%}.",
        "色とネットワークの判断が違います。採用した色では画像の{share:.0%}、ネットワークでは{other:.0%}、重なりは{overlap:.0%}です。",
        "颜色与网络不一致：按所采用的颜色，物体占图像的 {share:.0%}，按网络为 {other:.0%}，重叠 {overlap:.0%}。",
    ),
    "The network is not sure of its cut-out: an area of {share:.0%} of it may or may not belong.": (
        "Das Netz ist sich nicht sicher: eine Fläche von {share:.0%} gehört dazu oder nicht.",
        "La red no está segura de su recorte: un área del {share:.0%} puede pertenecer o no.",
        "ネットワークの切り抜きは不確かです。{share:.0%}の範囲は物かどうか分かりません。",
        "网络对抠图不确定：其中 {share:.0%} 的面积可能属于也可能不属于物体。",
    ),
    "The network sees no object: {share:.1%} of the picture.": (
        "Das Netz sieht kein Objekt: {share:.1%} des Bildes.",
        "La red no ve ningún objeto: el {share:.1%} de la imagen.",
        "ネットワークは物を見つけません：画像の{share:.1%}。",
        "网络看不到物体：占图像的 {share:.1%}。",
    ),
    "The mask is empty: 0 of {pixels} pixels are white.": (
        "Die Maske ist leer: 0 von {pixels} Pixeln sind weiß.",
        "La máscara está vacía: 0 de {pixels} píxeles son blancos.",
        "マスクが空です。{pixels}ピクセルのうち白は0です。",
        "遮罩为空：{pixels} 像素中白色为 0。",
    ),
    "Paint the object white.": (
        "Das Objekt weiß malen.",
        "Pinta el objeto de blanco.",
        "物を白く塗ってください。",
        "请把物体涂成白色。",
    ),
    "The mask is empty: 0 of {pixels} pixels are opaque.": (
        "Die Maske ist leer: 0 von {pixels} Pixeln sind deckend.",
        "La máscara está vacía: 0 de {pixels} píxeles son opacos.",
        "マスクが空です。{pixels}ピクセルのうち不透明は0です。",
        "遮罩为空：{pixels} 像素中不透明的为 0。",
    ),
    "Check the image's alpha channel.": (
        "Den Alphakanal des Bildes prüfen.",
        "Comprueba el canal alfa de la imagen.",
        "画像のアルファチャンネルを確認してください。",
        "请检查图像的 alpha 通道。",
    ),
    "The mask is empty: {count} of {pixels} pixels differ clearly from the colours along the border.": (
        "Kein Objekt gefunden: {count} von {pixels} Pixeln unterscheiden sich deutlich von den Farben am Rand.",
        "No se encuentra el objeto: {count} de {pixels} píxeles difieren claramente de los colores del borde.",
        "物が見つかりません。縁の色とはっきり違うのは{pixels}ピクセルのうち{count}です。",
        "找不到物体：{pixels} 像素中有 {count} 个与边缘颜色明显不同。",
    ),
    "The subject has no background: {count} of {pixels} pixels differ from the colours along the border.": (
        "Das Objekt hat keinen Hintergrund: {count} von {pixels} Pixeln unterscheiden sich von den Farben am Rand.",
        "El objeto no tiene fondo: {count} de {pixels} píxeles difieren de los colores del borde.",
        "背景がありません。縁の色と違うのは{pixels}ピクセルのうち{count}です。",
        "物体没有背景：{pixels} 像素中有 {count} 个与边缘颜色不同。",
    ),
    "Cut the subject out (save a PNG with alpha), or photograph it whole before a plain background.": (
        "Das Objekt ausschneiden (als PNG mit Alpha speichern) oder ganz vor einfarbigem Grund fotografieren.",
        "Recorta el objeto (guarda un PNG con alfa) o fotografíalo entero ante un fondo liso.",
        "物を切り抜いてアルファ付きPNGで保存するか、無地の背景の前で全体を撮ってください。",
        "请抠出物体（存为带 alpha 的 PNG），或在纯色背景前完整拍摄。",
    ),
}
