"""Words of what is said of a job: what the backend warns of, why it fails, and why a result is not imported."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "The prior does not know {words}.": (
        "Das Modell kennt {words} nicht.",
        "El modelo no conoce {words}.",
        "モデルは{words}を知りません。",
        "模型不认识 {words}。",
    ),
    "It draws what it can of the other words. Those that it knows are behind the magnifying glass over Blender's "
    "prompt, and in docs/embedded-prior.md.": (
        "Es zeichnet, was die anderen Worte hergeben. Die bekannten stehen hinter der Lupe über dem Prompt und "
        "in docs/embedded-prior.md.",
        "Dibuja lo que puede con las demás palabras. Las que conoce están tras la lupa sobre el prompt y en "
        "docs/embedded-prior.md.",
        "残りの言葉で描きます。知っている言葉は、プロンプトの上の虫眼鏡とdocs/embedded-prior.mdにあります。",
        "它会按其余词语绘制。认识的词在提示词上方的放大镜里，以及 docs/embedded-prior.md 中。",
    ),
    "The prior reads {count} tokens, so the prompt ends after '{read}'.": (
        "Das Modell liest {count} Token, daher endet der Prompt nach '{read}'.",
        "El modelo lee {count} tokens, así que el prompt acaba tras '{read}'.",
        "モデルが読むのは{count}トークンなので、プロンプトは「{read}」で終わります。",
        "模型读取 {count} 个标记，因此提示词止于“{read}”。",
    ),
    "Say it shorter.": (
        "Kürzer sagen.",
        "Dilo más corto.",
        "短くしてください。",
        "请缩短。",
    ),
    "{count} of {all} images are not used: {names}.": (
        "{count} von {all} Bildern werden nicht benutzt: {names}.",
        "No se usan {count} de {all} imágenes: {names}.",
        "{all}枚のうち{count}枚は使われません：{names}。",
        "{all} 张图像中有 {count} 张未使用：{names}。",
    ),
    "The job uses {count} of {cores} processor cores: other programs kept the rest busy when it began.": (
        "Der Auftrag nutzt {count} von {cores} Prozessorkernen: die übrigen waren bei seinem Beginn beschäftigt.",
        "El trabajo usa {count} de {cores} núcleos: otros programas ocupaban el resto cuando empezó.",
        "ジョブは{cores}コアのうち{count}を使います。開始時に残りは他のプログラムが使っていました。",
        "任务使用 {cores} 个核心中的 {count} 个：开始时其余核心被其他程序占用。",
    ),
    "For another number set Processor Cores (on the command line --threads); the last digits become others.": (
        "Für eine andere Zahl Prozessorkerne setzen (auf der Kommandozeile --threads); die letzten Stellen "
        "werden andere.",
        "Para otro número usa Núcleos del procesador (en la línea de órdenes --threads); cambian las últimas cifras.",
        "別の数にするには「プロセッサーコア」（コマンドでは--threads）を設定します。最後の桁は変わります。",
        "要用其他数量请设置“处理器核心”（命令行为 --threads）；结果末位会不同。",
    ),
    "Other programs keep the processor busy: a job with several threads may take ten times as long.": (
        "Andere Programme beschäftigen den Prozessor: ein Auftrag mit mehreren Threads kann zehnmal so lange dauern.",
        "Otros programas ocupan el procesador: un trabajo con varios hilos puede tardar diez veces más.",
        "他のプログラムがプロセッサーを使っています。複数スレッドのジョブは十倍かかることがあります。",
        "其他程序占用处理器：多线程任务可能要花十倍时间。",
    ),
    "Start it with one thread (on the command line --threads 1); it goes on from where it is.": (
        "Mit einem Thread starten (auf der Kommandozeile --threads 1); er macht weiter, wo er ist.",
        "Inícialo con un hilo (en la línea de órdenes --threads 1); sigue donde está.",
        "一スレッドで始めてください（コマンドでは--threads 1）。続きから進みます。",
        "请用一个线程启动（命令行为 --threads 1）；会从当前位置继续。",
    ),
    "This job takes about {needed:.1f} GB of memory, and {there} are free: it may run out of it.": (
        "Dieser Auftrag braucht etwa {needed:.1f} GB Speicher, frei sind {there}: er reicht vielleicht nicht.",
        "Este trabajo necesita unos {needed:.1f} GB de memoria y hay libres {there}: puede agotarse.",
        "このジョブは約{needed:.1f} GBのメモリーを使い、空きは{there}です。足りなくなるかもしれません。",
        "此任务约需 {needed:.1f} GB 内存，空闲 {there}：可能不够。",
    ),
    "Close other programs that use the memory, or choose the preset {preset}, which fits.": (
        "Andere Programme schließen, die Speicher brauchen, oder die Voreinstellung {preset} wählen: sie passt.",
        "Cierra otros programas que usen la memoria o elige el preajuste {preset}, que cabe.",
        "メモリーを使う他のプログラムを閉じるか、収まるプリセット{preset}を選んでください。",
        "请关闭占用内存的其他程序，或选择可容纳的预设 {preset}。",
    ),
    "Close other programs that use the memory, or choose a smaller base.": (
        "Andere Programme schließen, die Speicher brauchen, oder ein kleineres Grundmodell wählen.",
        "Cierra otros programas que usen la memoria o elige un modelo base menor.",
        "メモリーを使う他のプログラムを閉じるか、小さいベースモデルを選んでください。",
        "请关闭占用内存的其他程序，或选择较小的基础模型。",
    ),
    "{there} of memory are free, so the job begins with {words}, which is slower.": (
        "{there} Speicher sind frei, also beginnt der Auftrag mit {words}; das ist langsamer.",
        "Hay {there} de memoria libre, así que el trabajo empieza con {words}, lo que es más lento.",
        "空きメモリーは{there}なので、ジョブは{words}で始まります。遅くなります。",
        "空闲内存为 {there}，因此任务以{words}开始，速度较慢。",
    ),
    "Close other programs that use the memory to make it faster.": (
        "Andere Programme schließen, die Speicher brauchen: dann geht es schneller.",
        "Cierra otros programas que usen la memoria para que vaya más rápido.",
        "メモリーを使う他のプログラムを閉じると速くなります。",
        "关闭占用内存的其他程序可加快速度。",
    ),
    "all pictures of a step at a time": (
        "allen Bildern eines Schritts auf einmal",
        "todas las imágenes de un paso a la vez",
        "一ステップの全画像を一度に処理",
        "一步的全部图像同时处理",
    ),
    "{count} pictures at a time and views encoded one by one": (
        "{count} Bildern auf einmal und einzeln kodierten Ansichten",
        "{count} imágenes a la vez y las vistas codificadas una a una",
        "{count}枚ずつ、視点は一つずつ処理",
        "每次 {count} 张图像、视图逐个编码",
    ),
    "one picture at a time": (
        "einem Bild auf einmal",
        "una imagen a la vez",
        "一枚ずつ処理",
        "每次一张图像",
    ),
    "one picture at a time and layers computed again on the way back": (
        "einem Bild auf einmal und auf dem Rückweg neu berechneten Schichten",
        "una imagen a la vez y capas recalculadas a la vuelta",
        "一枚ずつ、逆向きでは層を再計算",
        "每次一张图像并在反向时重新计算各层",
    ),
    "Memory ran out, with {words}: {reason}": (
        "Der Speicher reichte nicht, mit {words}: {reason}",
        "Se agotó la memoria, con {words}: {reason}",
        "メモリーが足りません（{words}）：{reason}",
        "内存不足（{words}）：{reason}",
    ),
    "Memory ran out: the job goes on from its checkpoint, with {words}, which is slower.": (
        "Der Speicher reichte nicht: der Auftrag macht vom letzten Stand weiter, mit {words}; das ist langsamer.",
        "Se agotó la memoria: el trabajo sigue desde su último punto, con {words}, lo que es más lento.",
        "メモリーが足りなくなりました。ジョブは保存点から{words}で続きます。遅くなります。",
        "内存不足：任务从检查点继续，以{words}，速度较慢。",
    ),
    "Close other programs that use the GPU, or choose a lower preset.": (
        "Andere Programme schließen, die die GPU brauchen, oder eine kleinere Voreinstellung wählen.",
        "Cierra otros programas que usen la GPU o elige un preajuste menor.",
        "GPUを使う他のプログラムを閉じるか、低いプリセットを選んでください。",
        "请关闭占用 GPU 的其他程序，或选择较低的预设。",
    ),
    "The memory of this machine did not suffice.": (
        "Der Speicher dieses Rechners reichte nicht.",
        "La memoria de este equipo no bastó.",
        "このマシンのメモリーが足りませんでした。",
        "本机内存不足。",
    ),
    "Use the preset draft, or close other programs.": (
        "Die Voreinstellung Entwurf nehmen oder andere Programme schließen.",
        "Usa el preajuste Borrador o cierra otros programas.",
        "プリセット「下書き」を使うか、他のプログラムを閉じてください。",
        "请使用草稿预设，或关闭其他程序。",
    ),
    "Use the preset {preset}, or close other programs that use the memory.": (
        "Die Voreinstellung {preset} nehmen oder andere Programme schließen, die Speicher brauchen.",
        "Usa el preajuste {preset} o cierra otros programas que usen la memoria.",
        "プリセット{preset}を使うか、メモリーを使う他のプログラムを閉じてください。",
        "请使用预设 {preset}，或关闭占用内存的其他程序。",
    ),
    "Use a smaller base, or close other programs that use the memory.": (
        "Ein kleineres Modell nehmen oder andere Programme schließen, die Speicher brauchen.",
        "Usa un modelo menor o cierra otros programas que usen la memoria.",
        "小さいモデルを使うか、メモリーを使う他のプログラムを閉じてください。",
        "请使用较小的模型，或关闭占用内存的其他程序。",
    ),
    "The disk is full ({error}).": (
        "Die Festplatte ist voll ({error}).",
        "El disco está lleno ({error}).",
        "ディスクがいっぱいです（{error}）。",
        "磁盘已满（{error}）。",
    ),
    "Make room and run the job again; it goes on.": (
        "Platz schaffen und den Auftrag neu starten; er macht weiter.",
        "Haz sitio y ejecuta el trabajo de nuevo; continúa.",
        "空きを作ってジョブをもう一度実行してください。続きから進みます。",
        "请腾出空间并重新运行任务；会继续。",
    ),
    "This is a mistake of Maquette. The log in the job folder says where; report it.": (
        "Das ist ein Fehler von Maquette. Das Protokoll im Ordner des Auftrags sagt, wo; bitte melden.",
        "Es un error de Maquette. El registro en la carpeta del trabajo dice dónde; infórmalo.",
        "Maquetteの誤りです。ジョブのフォルダーのログに場所があります。報告してください。",
        "这是 Maquette 的错误。任务文件夹中的日志说明了位置；请报告。",
    ),
    "{folder} does not hold {wanted}: run the job to its end first.": (
        "{folder} enthält {wanted} nicht: den Auftrag erst zu Ende laufen lassen.",
        "{folder} no contiene {wanted}: ejecuta antes el trabajo hasta el final.",
        "{folder}に{wanted}がありません。先にジョブを最後まで実行してください。",
        "{folder} 中没有 {wanted}：请先把任务运行到底。",
    ),
    "{folder} holds neither {wanted}: run the job to its end first.": (
        "{folder} enthält weder noch: {wanted}. Den Auftrag erst zu Ende laufen lassen.",
        "{folder} no contiene ninguno: {wanted}. Ejecuta antes el trabajo hasta el final.",
        "{folder}にどれもありません：{wanted}。先にジョブを最後まで実行してください。",
        "{folder} 中都没有：{wanted}。请先把任务运行到底。",
    ),
    "Blender cannot read {path}: {reason}": (
        "Blender kann {path} nicht lesen: {reason}",
        "Blender no puede leer {path}: {reason}",
        "Blenderは{path}を読めません：{reason}",
        "Blender 无法读取 {path}：{reason}",
    ),
    "{path} holds {count} meshes; a result holds one.": (
        "{path} enthält {count} Meshes; ein Ergebnis hat eines.",
        "{path} contiene {count} mallas; un resultado tiene una.",
        "{path}にはメッシュが{count}個あります。結果には一個だけです。",
        "{path} 含有 {count} 个网格；结果只有一个。",
    ),
    "{path} is a link that leads out of its folder, or no file: not imported.": (
        "{path} ist ein Link aus seinem Ordner hinaus oder keine Datei: nicht importiert.",
        "{path} es un enlace que sale de su carpeta, o no es un archivo: no se importó.",
        "{path}はフォルダーの外へのリンクか、ファイルではありません。読み込みませんでした。",
        "{path} 是指向文件夹外的链接，或不是文件：未导入。",
    ),
    "{path} has {size:.1f} GiB; at most {most:.0f} GiB are imported.": (
        "{path} hat {size:.1f} GiB; höchstens {most:.0f} GiB werden importiert.",
        "{path} ocupa {size:.1f} GiB; se importan {most:.0f} GiB como mucho.",
        "{path}は{size:.1f} GiBです。読み込めるのは{most:.0f} GiBまでです。",
        "{path} 有 {size:.1f} GiB；最多导入 {most:.0f} GiB。",
    ),
    "{path} is not a binary glTF file.": (
        "{path} ist keine binäre glTF-Datei.",
        "{path} no es un archivo glTF binario.",
        "{path}はバイナリglTFファイルではありません。",
        "{path} 不是二进制 glTF 文件。",
    ),
    "{path} names a texture that it does not hold.": (
        "{path} nennt eine Textur, die nicht darin ist.",
        "{path} nombra una textura que no contiene.",
        "{path}は、含まれていないテクスチャーを指しています。",
        "{path} 引用了其中没有的纹理。",
    ),
    "Of the stage {stage}, {files} was replaced; the job goes on with that.": (
        "Im Schritt {stage} wurde {files} ersetzt; der Auftrag macht damit weiter.",
        "En la etapa {stage} se sustituyó {files}; el trabajo sigue con eso.",
        "段階「{stage}」の{files}が差し替えられました。ジョブはそれで続きます。",
        "阶段“{stage}”的 {files} 已被替换；任务将继续使用它。",
    ),
}
