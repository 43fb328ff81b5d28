"""Words of tooltips of the preferences, and of what puts right what went wrong."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    (
        "The Python 3.11 or 3.13 that the environment is made from; empty for the first that is found: one "
        "on the path, else Blender's own"
    ): (
        (
            "Das Python 3.11 oder 3.13, aus dem die Umgebung erzeugt wird; leer für das erste, das sich findet: "
            "im Pfad, sonst Blenders eigenes"
        ),
        (
            "El Python 3.11 o 3.13 con que se crea el entorno; vacío para el primero que se encuentre: uno de la "
            "ruta o el de Blender"
        ),
        "環境の元になるPython 3.11または3.13。空なら最初に見つかったもの（パス上、なければBlender付属）",
        "用于创建环境的 Python 3.11 或 3.13；留空则使用最先找到的：路径中的，否则为 Blender 自带的",
    ),
    "Install from the packages in this folder, without the network; empty to fetch them": (
        "Ohne Netzwerk aus den Paketen in diesem Ordner installieren; leer, um sie zu holen",
        "Instalar sin red desde los paquetes de esta carpeta; vacío para descargarlos",
        "このフォルダーのパッケージからネットワークなしでインストール。空なら取得する",
        "不联网，从此文件夹中的软件包安装；留空则下载",
    ),
    "Let torch compile networks: faster steps on a graphics card, after minutes of waiting in each job": (
        "Torch die Netze kompilieren lassen: schnellere Schritte auf einer Grafikkarte, nach Minuten je Auftrag",
        "Dejar que torch compile las redes: pasos más rápidos en una tarjeta gráfica, tras minutos en cada trabajo",
        "ネットワークをtorchでコンパイルする。グラフィックカードでのステップが速くなるが、ジョブごとに数分待つ",
        "让 torch 编译网络：在显卡上步骤更快，但每个任务要先等几分钟",
    ),
    "Which torch Install fetches": (
        "Welches Torch beim Installieren geholt wird",
        "Qué torch obtiene Instalar",
        "「インストール」で取得するtorch",
        "“安装”所获取的 torch",
    ),
    "What the package index has; an environment that is there keeps its own": (
        "Was der Paketindex hat; eine vorhandene Umgebung behält das ihre",
        "El que tenga el índice de paquetes; un entorno ya creado conserva el suyo",
        "パッケージ配布元にあるもの。既存の環境のものは変わらない",
        "软件包索引提供的版本；已有环境保留自己的版本",
    ),
    "From PyTorch's own index, the newest that this machine's driver can run": (
        "Aus dem Index von PyTorch, das neueste, das der Treiber dieses Rechners ausführen kann",
        "Del índice de PyTorch, el más nuevo que admita el controlador de este equipo",
        "PyTorchの配布元から、このコンピューターのドライバーで動く最新のもの",
        "来自 PyTorch 自己的索引，此计算机的驱动程序能运行的最新版本",
    ),
    "From PyTorch's own index; the smallest": (
        "Aus dem Index von PyTorch; das kleinste",
        "Del índice de PyTorch; el más pequeño",
        "PyTorchの配布元から。最も小さい",
        "来自 PyTorch 自己的索引；体积最小",
    ),
    "Where the backend's packages are installed; empty for a folder among Blender's user files": (
        "Wo die Pakete des Backends installiert werden; leer für einen Ordner in Blenders Benutzerdateien",
        ("Dónde se instalan los paquetes del backend; vacío para una carpeta entre los archivos de usuario de Blender"),
        "バックエンドのパッケージの場所。空ならBlenderのユーザーフォルダー内",
        "后端软件包的安装位置；留空则位于 Blender 的用户文件夹中",
    ),
    "A Python that has the backend's packages already, such as a studio's; nothing is installed": (
        "Ein Python, das die Pakete des Backends schon hat, etwa das eines Studios; nichts wird installiert",
        "Un Python que ya tiene los paquetes del backend, como el de un estudio; no se instala nada",
        "バックエンドのパッケージをすでに持つPython（スタジオ共用など）。何もインストールしない",
        "已包含后端软件包的 Python，例如工作室的；不会安装任何内容",
    ),
    "What the backend's jobs run on; Blender itself goes on with what its own preferences say": (
        "Worauf die Aufträge des Backends laufen; Blender selbst bleibt bei seinen eigenen Einstellungen",
        "Dónde se ejecutan los trabajos del backend; Blender sigue con sus propias preferencias",
        "バックエンドのジョブを実行する装置。Blender自体は自身の設定に従う",
        "后端任务在何处运行；Blender 自身仍按其偏好设置",
    ),
    (
        "Without a GPU, run several jobs of the queue at once, each with so many threads; 0 runs one job on "
        "all cores. With the device Automatic each GPU of the machine takes a job of its own"
    ): (
        (
            "Ohne GPU mehrere Aufträge der Schlange zugleich ausführen, jeden mit so vielen Threads; 0 führt "
            "einen auf allen Kernen aus. Beim Gerät Automatisch bekommt jede GPU einen eigenen Auftrag"
        ),
        (
            "Sin GPU, ejecutar a la vez varios trabajos de la cola, cada uno con tantos hilos; 0 ejecuta uno con "
            "todos los núcleos. Con el dispositivo Automático cada GPU toma su propio trabajo"
        ),
        (
            "GPUなしで、キューの複数のジョブをそれぞれこのスレッド数で同時に実行。0なら全コアで1つ。デバイスが自"
            "動なら各GPUが1つずつ受け持つ"
        ),
        (
            "没有 GPU 时，同时运行队列中的多个任务，每个使用这么多线程；0 表示用所有核心运行一个。设备为“自动”时"
            "，每个 GPU 各运行一个任务"
        ),
    ),
    "Where the folders of the jobs are made; empty for a folder among Blender's user files": (
        "Wo die Ordner der Aufträge angelegt werden; leer für einen Ordner in Blenders Benutzerdateien",
        (
            "Dónde se crean las carpetas de los trabajos; vacío para una carpeta entre los archivos de usuario "
            "de Blender"
        ),
        "ジョブのフォルダーを作る場所。空ならBlenderのユーザーフォルダー内",
        "任务文件夹的创建位置；留空则位于 Blender 的用户文件夹中",
    ),
    "How many jobs Keep the Newest Jobs proposes to leave; nothing is deleted by itself": (
        ("Wie viele Aufträge „Nur die neuesten Aufträge behalten“ übrig lassen will; von selbst wird nichts gelöscht"),
        "Cuántos trabajos propone dejar «Conservar los trabajos más nuevos»; nada se elimina por sí solo",
        "「新しいジョブだけ残す」が残す数の初期値。自動では何も削除されない",
        "“仅保留最新任务”建议保留的数量；不会自动删除任何内容",
    ),
    "Let the jobs of the queue go on by themselves; the next Blender shows them again": (
        "Die Aufträge der Schlange laufen von selbst weiter; das nächste Blender zeigt sie wieder",
        "Deja que los trabajos de la cola sigan solos; el próximo Blender los muestra de nuevo",
        "キューのジョブをそのまま続ける。次に開いたBlenderで再び表示される",
        "让队列中的任务自行继续；下次打开 Blender 时会再次显示",
    ),
    "Where fetched and imported models are; empty for a folder among Blender's user files": (
        "Wo geholte und importierte Modelle liegen; leer für einen Ordner in Blenders Benutzerdateien",
        (
            "Dónde están los modelos obtenidos e importados; vacío para una carpeta entre los archivos de "
            "usuario de Blender"
        ),
        "取得・インポートしたモデルの場所。空ならBlenderのユーザーフォルダー内",
        "获取和导入的模型所在位置；留空则位于 Blender 的用户文件夹中",
    ),
    "Another address to fetch models from, such as a mirror's; empty for the public hub": (
        ("Eine andere Adresse, von der Modelle geholt werden, etwa die eines Spiegels; leer für den öffentlichen Hub"),
        "Otra dirección de donde obtener modelos, como la de una réplica; vacío para el repositorio público",
        "モデルを取得する別のアドレス（ミラーなど）。空なら公開ハブ",
        "获取模型的其他地址，例如镜像；留空则使用公共模型中心",
    ),
    "Your token at the hub, for models that are given to those only who accept their terms": (
        "Dein Zugriffstoken beim Hub, für Modelle, deren Bedingungen man annehmen muss",
        "Tu token en el repositorio, para los modelos cuyos términos hay que aceptar",
        "規約への同意が必要なモデルのための、ハブのトークン",
        "您在模型中心的令牌，用于需要接受条款的模型",
    ),
    "The first NVIDIA GPU, else the processor": (
        "Die erste NVIDIA-GPU, sonst der Prozessor",
        "La primera GPU NVIDIA; si no, el procesador",
        "最初のNVIDIA GPU、なければプロセッサー",
        "第一个 NVIDIA GPU，否则为处理器",
    ),
    "Leave the GPUs to Blender; takes many times longer": (
        "Die GPUs Blender überlassen; dauert um ein Vielfaches länger",
        "Dejar las GPU a Blender; tarda muchísimo más",
        "GPUはBlenderに任せる。何倍も時間がかかる",
        "将 GPU 留给 Blender；耗时会长很多倍",
    ),
    "Jobs run on this GPU only": (
        "Aufträge laufen nur auf dieser GPU",
        "Los trabajos usan solo esta GPU",
        "ジョブはこのGPUだけで実行する",
        "任务只在此 GPU 上运行",
    ),
    (
        "Make an environment for the backend and install its packages into it; fetches some gigabytes from "
        "the package index, and Blender stays usable meanwhile"
    ): (
        (
            "Eine Umgebung für das Backend erzeugen und seine Pakete hinein installieren; holt einige Gigabyte "
            "vom Paketindex, Blender bleibt derweil benutzbar"
        ),
        (
            "Crear un entorno para el backend e instalar en él sus paquetes; descarga algunos gigabytes, y "
            "Blender sigue utilizable"
        ),
        ("バックエンドの環境を作り、パッケージをインストールする。数ギガバイトを取得するが、その間もBlenderは使える"),
        "为后端创建环境并安装软件包；需下载数 GB，期间 Blender 仍可使用",
    ),
    "Compare every installed file with what was installed, and try each engine; takes a minute": (
        "Jede installierte Datei vergleichen und jede Engine ausprobieren; dauert eine Minute",
        "Comparar cada archivo instalado y probar cada motor de cálculo; tarda un minuto",
        "インストールした全ファイルを照合し、各エンジンを試す。1分ほどかかる",
        "核对每个已安装的文件并试运行各引擎；约需一分钟",
    ),
    "Ask the backend what this machine can run; takes seconds": (
        "Das Backend fragen, was dieser Rechner ausführen kann; dauert Sekunden",
        "Preguntar al backend qué puede ejecutar este equipo; tarda segundos",
        "このコンピューターで実行できるものをバックエンドに尋ねる。数秒かかる",
        "询问后端此计算机能运行什么；只需数秒",
    ),
    "Delete the installed packages; jobs and their results stay": (
        "Die installierten Pakete löschen; Aufträge und ihre Ergebnisse bleiben",
        "Eliminar los paquetes instalados; los trabajos y sus resultados se conservan",
        "インストールしたパッケージを削除する。ジョブと結果は残る",
        "删除已安装的软件包；任务及其结果会保留",
    ),
    "Stop the installation and leave what was there before": (
        "Die Installation anhalten und lassen, was vorher da war",
        "Detener la instalación y dejar lo que había antes",
        "インストールを止め、前の状態のままにする",
        "停止安装，保留之前的内容",
    ),
    "Put right what went wrong": ("Beheben, was schiefging", "Corregir lo que falló", "問題を直す", "修复出错之处"),
    "What to do about it": ("Was zu tun ist", "Qué hacer al respecto", "対処方法", "处理方法"),
    "The folder of the job that failed": (
        "Der Ordner des fehlgeschlagenen Auftrags",
        "La carpeta del trabajo fallido",
        "失敗したジョブのフォルダー",
        "失败任务的文件夹",
    ),
    "Fetch a model from a hub; Blender stays usable, and what was cut off goes on where it was": (
        "Ein Modell von einem Hub holen; Blender bleibt benutzbar, und Abgebrochenes geht weiter, wo es war",
        "Obtener un modelo de un repositorio; Blender sigue utilizable, y lo interrumpido continúa donde estaba",
        "ハブからモデルを取得する。Blenderは使え、中断しても続きから再開する",
        "从模型中心获取模型；Blender 仍可使用，中断后可从断点继续",
    ),
    "Compare every file of every model with what was installed; takes seconds for each gigabyte": (
        "Jede Datei jedes Modells vergleichen; dauert Sekunden je Gigabyte",
        "Comparar cada archivo de cada modelo; tarda segundos por gigabyte",
        "全モデルの全ファイルを照合する。1ギガバイトあたり数秒かかる",
        "核对每个模型的每个文件；每 GB 需数秒",
    ),
    "Delete a model's files; jobs and their results stay": (
        "Die Dateien eines Modells löschen; Aufträge und ihre Ergebnisse bleiben",
        "Eliminar los archivos de un modelo; los trabajos y sus resultados se conservan",
        "モデルのファイルを削除する。ジョブと結果は残る",
        "删除模型的文件；任务及其结果会保留",
    ),
    "Take a folder in diffusers' format, a checkpoint of Stable Diffusion 1.x or a LoRA that you have; no network": (
        (
            "Einen Ordner im Format von diffusers, einen Checkpoint von Stable Diffusion 1.x oder ein LoRA "
            "nehmen, das da ist; kein Netzwerk"
        ),
        (
            "Tomar una carpeta en el formato de diffusers, un punto de control de Stable Diffusion 1.x o un LoRA "
            "que tengas; sin red"
        ),
        ("手元のdiffusers形式のフォルダー、Stable Diffusion 1.xのチェックポイント、またはLoRAを使う。ネットワーク不要"),
        "使用您已有的 diffusers 格式文件夹、Stable Diffusion 1.x 检查点或 LoRA；无需联网",
    ),
    "One of the catalogue": ("Eines aus dem Verzeichnis", "Uno del catálogo", "カタログの一つ", "目录中的一个"),
    "Another repository than the catalogue's, as OWNER/NAME": (
        "Ein anderes Repositorium als das im Verzeichnis, als OWNER/NAME",
        "Otro repositorio que el del catálogo, como OWNER/NAME",
        "カタログとは別のリポジトリ（OWNER/NAME）",
        "目录以外的其他仓库，格式为 OWNER/NAME",
    ),
    "An installed one": ("Ein installiertes", "Uno instalado", "インストール済みの一つ", "已安装的一个"),
    "The file or folder": (
        "Die Datei oder der Ordner",
        "El archivo o la carpeta",
        "ファイルまたはフォルダー",
        "文件或文件夹",
    ),
    "The base that a LoRA changes; empty if only one is there": (
        "Das Modell, das ein LoRA ändert; leer, wenn nur eines da ist",
        "El modelo que cambia un LoRA; vacío si solo hay uno",
        "LoRAが変える元のモデル。一つしかなければ空",
        "LoRA 所修改的模型；只有一个时可留空",
    ),
    "Of a LoRA; 1 is as it was trained": (
        "Eines LoRA; 1 ist wie trainiert",
        "De un LoRA; 1 es como se entrenó",
        "LoRAの強さ。1は学習時のまま",
        "LoRA 的强度；1 为训练时的强度",
    ),
    "Install the backend's packages into a folder of their own": (
        "Die Pakete des Backends in einen eigenen Ordner installieren",
        "Instalar los paquetes del backend en su propia carpeta",
        "バックエンドのパッケージを専用フォルダーにインストールする",
        "将后端软件包安装到独立的文件夹",
    ),
    "Make the backend's environment anew; the old one stays until the new one is whole": (
        "Die Umgebung des Backends neu erzeugen; die alte bleibt, bis die neue vollständig ist",
        "Crear de nuevo el entorno del backend; el anterior queda hasta que el nuevo esté completo",
        "バックエンドの環境を作り直す。新しい環境が完成するまで古いものは残る",
        "重新创建后端环境；新环境完成前保留旧环境",
    ),
    "Show the preferences where a Python is chosen": (
        "Die Einstellungen zeigen, in denen ein Python gewählt wird",
        "Mostrar las preferencias donde se elige un Python",
        "Pythonを選ぶ設定を表示する",
        "显示选择 Python 的偏好设置",
    ),
    "Show what was printed last": (
        "Zeigen, was zuletzt ausgegeben wurde",
        "Mostrar lo último que se imprimió",
        "最後の出力を表示する",
        "显示最后的输出",
    ),
    "Show where Blender is allowed to go online": (
        "Zeigen, wo Blender der Online-Zugriff erlaubt wird",
        "Mostrar dónde se permite a Blender conectarse",
        "Blenderのオンラインアクセスを許可する場所を表示する",
        "显示允许 Blender 联网的位置",
    ),
    "Open the page of NVIDIA's drivers": (
        "Die Seite mit den Treibern von NVIDIA öffnen",
        "Abrir la página de controladores de NVIDIA",
        "NVIDIAのドライバーのページを開く",
        "打开 NVIDIA 驱动程序页面",
    ),
    "Show the preferences where the GPU is chosen": (
        "Die Einstellungen zeigen, in denen die GPU gewählt wird",
        "Mostrar las preferencias donde se elige la GPU",
        "GPUを選ぶ設定を表示する",
        "显示选择 GPU 的偏好设置",
    ),
    "Show the folder that fills up first": (
        "Den Ordner zeigen, der zuerst voll wird",
        "Mostrar la carpeta que se llena antes",
        "最初にいっぱいになるフォルダーを表示する",
        "显示最先占满的文件夹",
    ),
    "Show the files of the job": (
        "Die Dateien des Auftrags zeigen",
        "Mostrar los archivos del trabajo",
        "ジョブのファイルを表示する",
        "显示任务的文件",
    ),
    "Show Blender's extensions, to install the add-on again": (
        "Blenders Erweiterungen zeigen, um das Add-on noch einmal zu installieren",
        "Mostrar las extensiones de Blender, para instalar de nuevo el complemento",
        "アドオンを再インストールするためにエクステンションを表示する",
        "显示 Blender 的扩展，以便重新安装插件",
    ),
    "Set the preset that takes less memory": (
        "Die Voreinstellung wählen, die weniger Speicher braucht",
        "Poner el preajuste que usa menos memoria",
        "メモリの少ないプリセットにする",
        "设为占用内存更少的预设",
    ),
    "Go on with the job where it stopped": (
        "Mit dem Auftrag fortfahren, wo er stehen blieb",
        "Continuar el trabajo donde se detuvo",
        "ジョブを止まった所から続ける",
        "从停止处继续任务",
    ),
    "Try once more to import the result": (
        "Noch einmal versuchen, das Ergebnis zu importieren",
        "Intentar de nuevo importar el resultado",
        "結果のインポートをもう一度試す",
        "再次尝试导入结果",
    ),
    "Show the models in the preferences, to fetch or import the one that is missing": (
        "Die Modelle in den Einstellungen zeigen, um das fehlende zu holen oder zu importieren",
        "Mostrar los modelos en las preferencias, para obtener o importar el que falta",
        "足りないモデルを取得・インポートするために、プリファレンスのモデルを表示する",
        "在偏好设置中显示模型，以便获取或导入缺少的模型",
    ),
    "Start the job again with another seed": (
        "Den Auftrag mit einem anderen Startwert noch einmal beginnen",
        "Empezar de nuevo el trabajo con otra semilla",
        "別のシードでジョブをやり直す",
        "用另一个随机种重新开始任务",
    ),
}
