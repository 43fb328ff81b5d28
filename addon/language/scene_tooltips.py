"""Words of tooltips of what a scene asks for: its fields and their choices."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "Picture of the object, best before a plain background": (
        "Bild des Objekts, am besten vor einfarbigem Hintergrund",
        "Imagen del objeto, mejor ante un fondo liso",
        "物の画像。無地の背景が最適",
        "物体的图片，最好背景单一",
    ),
    "What the picture is to the object that is made": (
        "Was das Bild für das Objekt ist, das entsteht",
        "Qué es la imagen para el objeto que se hace",
        "作られる物にとって画像が何であるか",
        "图片与所生成物体的关系",
    ),
    "How high the camera stands above the object; 0 looks at it from the side": (
        "Wie hoch die Kamera über dem Objekt steht; 0 sieht es von der Seite",
        "A qué altura está la cámara sobre el objeto; 0 lo mira de lado",
        "カメラの高さ。0は真横から見る",
        "相机在物体上方的高度；0 为平视",
    ),
    "Which side the camera sees: 0 is the front, 90 the right view (at your right), 180 the back": (
        "Welche Seite die Kamera sieht: 0 ist vorne, 90 die rechte Ansicht (rechts von dir), 180 hinten",
        "Qué lado ve la cámara: 0 es el frente, 90 la vista derecha (a tu derecha), 180 la parte de atrás",
        "カメラが見る側：0は前、90は右（見る人の右）、180は後ろ",
        "相机看到的一面：0 为正面，90 为右视图（在您右侧），180 为背面",
    ),
    "Opening angle of the camera along the longer side of the image": (
        "Öffnungswinkel der Kamera entlang der längeren Bildseite",
        "Ángulo de apertura de la cámara en el lado más largo de la imagen",
        "画像の長辺方向のカメラの画角",
        "相机沿图像长边的张角",
    ),
    "How the object is made": ("Wie das Objekt entsteht", "Cómo se hace el objeto", "物の作り方", "物体的生成方式"),
    "A kept subject, which an earlier job has learnt; empty for that of photos": (
        "Ein behaltenes Motiv, das ein früherer Auftrag gelernt hat; leer für das der Fotos",
        "Un motivo guardado, que aprendió un trabajo anterior; vacío para el de las fotos",
        "以前のジョブが学習した保存済みの被写体。空なら写真の被写体",
        "先前任务学到的已保留主体；留空则使用照片中的主体",
    ),
    "The object in a few words, for example: a red mug with white dots": (
        "Das Objekt in ein paar englischen Worten, zum Beispiel: a red mug with white dots",
        "El objeto en pocas palabras en inglés, por ejemplo: a red mug with white dots",
        "物を英語で短く。例：a red mug with white dots",
        "用几个英文单词描述物体，例如：a red mug with white dots",
    ),
    "What the object must not look like": (
        "Wie das Objekt nicht aussehen darf",
        "Cómo no debe ser el objeto",
        "そうなってほしくないもの",
        "物体不应有的样子",
    ),
    "Pictures of what the object looks like": (
        "Bilder davon, wie das Objekt aussieht",
        "Imágenes de cómo es el objeto",
        "物の見た目の画像",
        "展示物体外观的图片",
    ),
    "The selected picture": ("Das ausgewählte Bild", "La imagen elegida", "選択した画像", "所选图片"),
    "Start of all randomness: the same seed and settings give the same object": (
        "Anfang allen Zufalls: gleicher Startwert und gleiche Einstellungen ergeben das gleiche Objekt",
        "Origen de todo el azar: la misma semilla y los mismos ajustes dan el mismo objeto",
        "乱数の元。同じシードと設定なら同じ物になる",
        "所有随机性的起点：相同的随机种和设置得到相同的物体",
    ),
    "Draw another seed whenever a job is started": (
        "Bei jedem Auftrag einen anderen Startwert ziehen",
        "Sortear otra semilla en cada trabajo",
        "ジョブを始めるたびに別のシードを引く",
        "每次启动任务时抽取新的随机种",
    ),
    "How much time to spend": ("Wie viel Zeit es kosten darf", "Cuánto tiempo dedicarle", "かける時間", "花费多少时间"),
    "The model that knows what things look like": (
        "Das Modell, das weiß, wie Dinge aussehen",
        "El modelo que sabe cómo son las cosas",
        "物の見た目を知っているモデル",
        "了解事物外观的模型",
    ),
    "An installed base, by its name": (
        "Ein installiertes Modell, mit seinem Namen",
        "Un modelo instalado, por su nombre",
        "インストール済みモデルの名前",
        "已安装模型的名称",
    ),
    "Folder that holds a model_index.json and the model's parts": (
        "Ordner mit einer model_index.json und den Teilen des Modells",
        "Carpeta con un model_index.json y las partes del modelo",
        "model_index.jsonとモデルの各部を含むフォルダー",
        "包含 model_index.json 和模型各部分的文件夹",
    ),
    "What to make; hold Shift to choose both": (
        "Was entsteht; mit Umschalt beides wählen",
        "Qué hacer; mantén Mayús para elegir ambos",
        "作るもの。Shiftで両方を選択",
        "要生成的内容；按住 Shift 可同时选择",
    ),
    "Look at what a stage has made, or replace it, before the long part begins": (
        "Ansehen oder ersetzen, was eine Stufe gemacht hat, bevor der lange Teil beginnt",
        "Mirar o reemplazar lo que hizo una etapa antes de la parte larga",
        "長い処理の前に、段階の結果を確認または差し替える",
        "在耗时部分开始前查看或替换某阶段的结果",
    ),
    "Run to the end": ("Bis zum Ende laufen", "Ejecutar hasta el final", "最後まで実行する", "运行到结束"),
    "Put the result at the 3D cursor as soon as it is there, if this file is still open": (
        "Das Ergebnis an den 3D-Cursor setzen, sobald es da ist, wenn diese Datei noch offen ist",
        "Poner el resultado en el cursor 3D en cuanto esté, si este archivo sigue abierto",
        "このファイルが開いていれば、結果ができ次第3Dカーソルに置く",
        "若此文件仍打开，结果完成后立即放到 3D 游标处",
    ),
    "Show what is imported in the Asset Browser, with its picture": (
        "Importiertes im Asset-Browser zeigen, mit seinem Bild",
        "Mostrar lo importado en el explorador de recursos, con su imagen",
        "インポートしたものを画像付きでアセットブラウザーに表示する",
        "在资产浏览器中显示导入的内容及其图片",
    ),
    "Words to find the asset by, separated by commas": (
        "Worte, um das Asset zu finden, durch Kommas getrennt",
        "Palabras para encontrar el recurso, separadas por comas",
        "アセットを探すための言葉。コンマ区切り",
        "用于查找资产的词语，以逗号分隔",
    ),
    "Cores that the backend may use; 0 means all that no other program keeps busy when the job begins": (
        "Kerne, die das Backend nutzen darf; 0 heißt alle, die zu Beginn des Auftrags kein Programm beschäftigt",
        "Núcleos que puede usar el backend; 0 son todos los que ningún otro programa ocupa al empezar el trabajo",
        "バックエンドが使えるコア数。0は、ジョブの開始時に他のプログラムが使っていないコア全部",
        "后端可使用的核心数；0 表示任务开始时未被其他程序占用的全部核心",
    ),
    "A textured mesh with a Principled material": (
        "Ein texturiertes Mesh mit einem Principled-Material",
        "Una malla con textura y un material Principled",
        "プリンシプル材質のテクスチャ付きメッシュ",
        "带原理化材质的纹理网格",
    ),
    "A coloured point cloud with all that Gaussian splats need": (
        "Eine farbige Punktwolke mit allem, was Gaußsche Splats brauchen",
        "Una nube de puntos de color con todo lo que necesitan los splats gaussianos",
        "ガウススプラットに必要なものをすべて持つ色付き点群",
        "包含高斯泼溅所需全部信息的彩色点云",
    ),
    "The small prior that comes with Maquette: works offline, knows few kinds of objects": (
        "Das kleine mitgelieferte Modell: läuft ohne Netz und kennt wenige Arten von Objekten",
        "El pequeño modelo incluido: funciona sin red y conoce pocas clases de objetos",
        "Maquette付属の小さなモデル。オフラインで動くが、知っている物は少ない",
        "随 Maquette 提供的小模型：可离线使用，只认识少数几类物体",
    ),
    "A Stable Diffusion model on this computer, in diffusers' format": (
        "Ein Stable-Diffusion-Modell auf diesem Rechner, im Format von diffusers",
        "Un modelo de Stable Diffusion de este equipo, en el formato de diffusers",
        "このコンピューターにあるdiffusers形式のStable Diffusionモデル",
        "此计算机上的 diffusers 格式 Stable Diffusion 模型",
    ),
    "Stable Diffusion or another base, fetched or imported in the preferences": (
        "Stable Diffusion oder ein anderes Modell, in den Einstellungen geholt oder importiert",
        "Stable Diffusion u otro modelo, obtenido o importado en las preferencias",
        "プリファレンスで取得・インポートしたStable Diffusionなどのモデル",
        "在偏好设置中获取或导入的 Stable Diffusion 或其他模型",
    ),
    "The shortest run there is: the right thing, roughly, in less than a minute": (
        "Der kürzeste Lauf: grob das Richtige, in weniger als einer Minute",
        "La ejecución más corta: lo correcto, a grandes rasgos, en menos de un minuto",
        "最短の実行。1分未満でおおまかな形",
        "最短的运行：不到一分钟得到大致正确的结果",
    ),
    "A first look: few steps and a coarse mesh, minutes on two processor cores": (
        "Ein erster Blick: wenige Schritte und ein grobes Mesh, Minuten auf zwei Kernen",
        "Un primer vistazo: pocos pasos y una malla tosca, minutos con dos núcleos",
        "最初の確認用。少ないステップと粗いメッシュ、2コアで数分",
        "初步查看：步数少、网格粗，两个核心需数分钟",
    ),
    "More steps and a finer mesh; about four times as long as a draft": (
        "Mehr Schritte und ein feineres Mesh; etwa viermal so lang wie ein Entwurf",
        "Más pasos y una malla más fina; unas cuatro veces más que un borrador",
        "多いステップと細かいメッシュ。下書きの約4倍の時間",
        "步数更多、网格更细；耗时约为草稿的四倍",
    ),
    "The numbers of the paper that the system follows: hours without a graphics card": (
        "Die Zahlen der Veröffentlichung, der das System folgt: Stunden ohne Grafikkarte",
        "Los números del artículo que sigue el sistema: horas sin tarjeta gráfica",
        "元になった論文の値。グラフィックカードなしでは数時間",
        "所依据论文的参数：没有显卡需数小时",
    ),
    "The object itself: the result looks like this from there": (
        "Das Objekt selbst: das Ergebnis sieht von dort so aus",
        "El objeto mismo: el resultado se ve así desde ahí",
        "物そのもの。結果はそこからこう見える",
        "物体本身：结果从该处看即如此",
    ),
    "One of several photos of the subject, from any side": (
        "Eines von mehreren Fotos des Motivs, von irgendeiner Seite",
        "Una de varias fotos del motivo, desde cualquier lado",
        "被写体の写真の一枚。どの向きでもよい",
        "主体的多张照片之一，任意方向",
    ),
    "Something that the result is to be like, seen from nowhere in particular": (
        "Etwas, dem das Ergebnis ähneln soll, ohne bestimmten Blickpunkt",
        "Algo a lo que ha de parecerse el resultado, sin un punto de vista concreto",
        "結果を似せたいもの。視点は問わない",
        "结果应相似的事物，不限视角",
    ),
    "White where the object is in its picture, black elsewhere; of the same size": (
        "Weiß, wo das Objekt im Bild ist, sonst schwarz; gleich groß",
        "Blanco donde está el objeto en su imagen, negro en lo demás; del mismo tamaño",
        "画像の物の部分が白、他は黒。同じ大きさ",
        "图片中物体处为白色，其余为黑色；尺寸相同",
    ),
    "A description, and if you like an image of the object, become a point cloud and a textured mesh": (
        (
            "Aus einer Beschreibung und, wenn gewünscht, einem Bild des Objekts werden eine Punktwolke und ein "
            "texturiertes Mesh"
        ),
        (
            "Una descripción y, si quieres, una imagen del objeto se convierten en una nube de puntos y una "
            "malla con textura"
        ),
        "説明と、必要なら物の画像から、点群とテクスチャ付きメッシュを作る",
        "由描述（可附物体图像）生成点云和纹理网格",
    ),
    "Three to six photos of one subject and a description become that subject in a new pose, colour or material": (
        (
            "Aus drei bis sechs Fotos eines Motivs und einer Beschreibung wird das Motiv in neuer Pose, Farbe "
            "oder neuem Material"
        ),
        (
            "De tres a seis fotos de un motivo y una descripción se convierten en ese motivo con otra pose, "
            "color o material"
        ),
        "被写体の写真3～6枚と説明から、別のポーズ・色・材質の被写体を作る",
        "由同一主体的三到六张照片和描述生成新姿势、颜色或材质的该主体",
    ),
    "One image of an object becomes the object, with its unseen sides, as a textured mesh and coloured points": (
        "Aus einem Bild wird das Objekt mit seinen ungesehenen Seiten, als texturiertes Mesh und farbige Punkte",
        "Una imagen se convierte en el objeto, con sus lados no vistos, como malla con textura y puntos de color",
        "1枚の画像から、見えない側面も含む物を、テクスチャ付きメッシュと色付きポイントとして作る",
        "由一张图像生成包含未见面的物体，形式为纹理网格和彩色点",
    ),
}
