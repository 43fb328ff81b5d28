"""Words of the systems: their names, stages, pictures and networks."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "Prompt and Style": ("Prompt und Stil", "Prompt y estilo", "プロンプトとスタイル", "提示词与风格"),
    "Subject from Photos": ("Motiv aus Fotos", "Motivo de fotos", "写真から被写体", "由照片生成主体"),
    "Object from One Image": ("Objekt aus einem Bild", "Objeto de una imagen", "1枚の画像から物", "由单张图像生成物体"),
    "Object": ("Objekt", "Objeto", "物体", "物体"),
    "Photo": ("Foto", "Foto", "写真", "照片"),
    "Style or Likeness": ("Stil oder Ähnlichkeit", "Estilo o parecido", "スタイルまたは類似", "风格或相似"),
    "Mask": ("Maske", "Máscara", "マスク", "遮罩"),
    "Cutting Out": ("Freistellen", "Recortando", "切り抜き", "抠图"),
    "Looking": ("Ansehen", "Observando", "観察", "观察图像"),
    "Imagining": ("Vorstellen", "Imaginando", "想像", "想象"),
    "Imagining Sides": ("Seiten vorstellen", "Imaginando lados", "側面を想像", "想象各面"),
    "Drawing Sides": ("Seiten zeichnen", "Dibujando lados", "側面を描画", "绘制各面"),
    "Shaping": ("Formen", "Dando forma", "形作り", "塑形"),
    "Optimising": ("Optimieren", "Optimizando", "最適化", "优化"),
    "Learning the Views": ("Ansichten lernen", "Aprendiendo las vistas", "ビューを学習", "学习视图"),
    "Learning the Object": ("Objekt lernen", "Aprendiendo el objeto", "物体を学習", "学习物体"),
    "Learning the Subject": ("Motiv lernen", "Aprendiendo el motivo", "被写体を学習", "学习主体"),
    "Drawing the Class": ("Klasse zeichnen", "Dibujando la clase", "クラスを描画", "绘制类别图"),
    "First Object": ("Erstes Objekt", "Primer objeto", "最初の物体", "初始物体"),
    "Final Object": ("Endgültiges Objekt", "Objeto final", "最終の物体", "最终物体"),
    "Redrawing Views": ("Ansichten neu zeichnen", "Redibujando vistas", "ビューを描き直し", "重绘视图"),
    "Finding Cameras": ("Kameras suchen", "Buscando cámaras", "カメラを推定", "寻找各相机"),
    "Finding the Camera": ("Kamera suchen", "Buscando la cámara", "カメラを推定中", "寻找相机"),
    "Refining Colours": ("Farben verfeinern", "Refinando colores", "色を調整", "细化颜色"),
    "Finding the Surface": ("Oberfläche suchen", "Buscando la superficie", "表面を抽出", "提取表面"),
    "Making the Mesh": ("Mesh erzeugen", "Creando la malla", "メッシュを作成", "生成网格"),
    "Cut-Out": ("Freisteller", "Recorte", "切り抜き", "抠图"),
    "Cut-Outs": ("Freisteller", "Recortes", "切り抜き", "抠图"),
    "Shape": ("Form", "Forma", "形状", "形状"),
    "Imagined Views": ("Vorgestellte Ansichten", "Vistas imaginadas", "想像したビュー", "想象的视图"),
    "Drawn Sides": ("Gezeichnete Seiten", "Lados dibujados", "描いた側面", "绘制的各面"),
    "Redrawn Views": ("Neu gezeichnete Ansichten", "Vistas redibujadas", "描き直したビュー", "重绘的视图"),
    "Four Images": ("Vier Bilder", "Cuatro imágenes", "4枚の画像", "四张图像"),
    "Four Sides": ("Vier Seiten", "Cuatro lados", "4つの側面", "四个面"),
    "Front": ("Vorne", "Frente", "前", "前"),
    "Back": ("Hinten", "Atrás", "後", "后"),
    "Left": ("Links", "Izquierda", "左", "左"),
    "Right": ("Rechts", "Derecha", "右", "右"),
    "Colour": ("Farbe", "Color", "色", "颜色"),
    "Depth": ("Tiefe", "Profundidad", "深度", "深度"),
    "Normals": ("Normalen", "Normales", "法線", "法线"),
    "knows nearly everything; for a GPU with 6 GB and more": (
        "kennt fast alles; für eine GPU ab 6 GB",
        "conoce casi todo; para una GPU de 6 GB o más",
        "ほぼ何でも知っている。6 GB以上のGPU向け",
        "几乎无所不知；需 6 GB 以上显存的 GPU",
    ),
    "A base that draws several sides together": (
        "Ein Modell, das mehrere Seiten zusammen zeichnet",
        "Un modelo que dibuja varios lados a la vez",
        "複数の側面を同時に描くモデル",
        "同时绘制多个面的模型",
    ),
    "knows what objects look like from all sides": (
        "weiß, wie Objekte von allen Seiten aussehen",
        "sabe cómo son los objetos por todos los lados",
        "物を全方向から知っている",
        "了解物体各个方向的样子",
    ),
    "lets a base see an image beside the words": (
        "lässt ein Modell neben den Worten ein Bild sehen",
        "deja que un modelo vea una imagen junto a las palabras",
        "モデルに言葉と一緒に画像を見せる",
        "让模型在文字之外还能看到图像",
    ),
    "turns an image to another side": (
        "dreht ein Bild auf eine andere Seite",
        "gira una imagen hacia otro lado",
        "画像を別の向きにする",
        "将图像转到另一面",
    ),
    "says what is near": ("sagt, was nah ist", "dice qué está cerca", "近さを判定する", "判断远近"),
    "says which way surfaces face": (
        "sagt, wohin Flächen zeigen",
        "dice hacia dónde miran las superficies",
        "面の向きを判定する",
        "判断表面朝向",
    ),
    "compares parts of pictures": (
        "vergleicht Teile von Bildern",
        "compara partes de imágenes",
        "画像の部分を比べる",
        "比较图片的局部",
    ),
    "says which picture fits the words better": (
        "sagt, welches Bild besser zu den Worten passt",
        "dice qué imagen encaja mejor con las palabras",
        "どの画像が言葉に合うかを判定する",
        "判断哪张图更符合文字",
    ),
    "cuts the subject out": ("stellt das Motiv frei", "recorta el motivo", "被写体を切り抜く", "抠出主体"),
    "names what a picture shows, and compares it with words": (
        "benennt, was ein Bild zeigt, und vergleicht es mit Worten",
        "nombra lo que muestra una imagen y lo compara con palabras",
        "画像の内容を言い当て、言葉と比べる",
        "说出图片内容，并与文字比较",
    ),
    "encodes pictures with a ninth of the work": (
        "kodiert Bilder mit einem Neuntel der Arbeit",
        "codifica imágenes con la novena parte del trabajo",
        "9分の1の計算で画像を符号化する",
        "以九分之一的运算量编码图片",
    ),
    "for Stable Diffusion; a job uses it with the setting Small Encoder": (
        "für Stable Diffusion; ein Auftrag benutzt ihn mit der Einstellung „Kleiner Encoder“",
        "para Stable Diffusion; un trabajo lo usa con el ajuste «Codificador pequeño»",
        "Stable Diffusion用。設定「小さいエンコーダー」でジョブが使う",
        "用于 Stable Diffusion；任务通过设置“小型编码器”使用它",
    ),
    "its public copy was withdrawn: name a mirror that you trust, --from OWNER/NAME": (
        "die öffentliche Kopie wurde zurückgezogen: einen vertrauenswürdigen Spiegel nennen, --from OWNER/NAME",
        "la copia pública se retiró: indica una réplica de confianza, --from OWNER/NAME",
        "公開コピーは取り下げられました。信頼できるミラーを指定してください（--from OWNER/NAME）",
        "公开副本已撤回：请指定您信任的镜像，--from OWNER/NAME",
    ),
    (
        "to be imported: a folder in diffusers' format whose prior.json says joint_views. The public "
        "conversions of MVDream bring code of their own, which is never run"
    ): (
        (
            "wird importiert: ein Ordner im Format von diffusers, dessen prior.json joint_views sagt. Die "
            "öffentlichen Umwandlungen von MVDream bringen eigenen Code mit, der nie ausgeführt wird"
        ),
        (
            "se importa: una carpeta en el formato de diffusers cuyo prior.json dice joint_views. Las "
            "conversiones públicas de MVDream traen su propio código, que nunca se ejecuta"
        ),
        (
            "インポートして使います：prior.jsonにjoint_viewsのあるdiffusers形式のフォルダー。公開されているMVDrea"
            "mの変換版は独自のコードを含み、それは実行されません"
        ),
        (
            "需导入：diffusers 格式的文件夹，其 prior.json 含 joint_views。MVDream 的公开转换版自带代码，这些代码"
            "绝不会运行"
        ),
    ),
}
